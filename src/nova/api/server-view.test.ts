/** A server's text is its view as JSON, for whoever asks and whatever was written before. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { startMetadata } from '../../../test/support/metadata.ts'
import type { RequestContext } from '../../base/http/index.ts'
import { Instances } from '../model/index.ts'
import { type ShownServer, serverJson, serverView } from './server-view.ts'

it('is the view of just this request', () => {
  const { ground, boot } = startMetadata()
  const instances = new Instances(ground)
  const { uuid } = boot()
  instances.update(uuid, { vm_state: 'error' })
  instances.addFault(uuid, { code: 500, message: 'No room', details: 'of three hosts', host: null })
  const request = fc.record({
    version: fc.constantFrom(2001, 2019, 2047, 2075, 2098, 2104),
    baseUrl: fc.constantFrom('http://a/compute/v2.1', 'https://b/v2.1'),
    projectPrefix: fc.constantFrom('', '/p'),
    isAdmin: fc.boolean(),
    attributes: fc.boolean(),
    hostStatus: fc.constantFrom(null, 'UP', 'DOWN'),
    isDetailOfOne: fc.boolean(),
    serverGroup: fc.constantFrom(null, 'g'),
    renames: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(request, { maxLength: 8 }), (requests) => {
      for (const { version, baseUrl, projectPrefix, isAdmin, renames, ...seen } of requests) {
        if (renames) instances.update(uuid, { display_name: `named at ${version}` })
        const server: ShownServer = { instance: instances.get(uuid), ...seen }
        const context = { version, baseUrl, projectPrefix, principal: { isAdmin } } as RequestContext
        const expected = JSON.stringify(serverView(server, context))
        expect(String(serverJson(server, context))).toBe(expected)
        expect(String(serverJson(server, context))).toBe(expected)
      }
    }),
  )
})
