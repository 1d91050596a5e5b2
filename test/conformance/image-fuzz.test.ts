/** Whatever is sent to the image service is taken or refused, never a failure. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { demo, type ImageWorld, imageCalls, startImages } from '../support/image.ts'

const uuid = '7f9e2b1a-0c1d-4e5f-8a9b-0123456789ab'

let world: ImageWorld
beforeEach(() => {
  world = startImages()
})
afterEach(() => world[Symbol.asyncDispose]())
const { create, patch } = imageCalls(() => world.api)

describe('whatever is sent', () => {
  const names = fc.constantFrom(
    'name',
    'id',
    'tags',
    'min_disk',
    'visibility',
    'disk_format',
    'protected',
    'owner',
    'x',
    '__proto__',
    'kernel_id',
    '',
  )
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string(), fc.integer(), fc.constantFrom(null, true, 'public', 'qcow2', uuid))
  it('a new image is taken or refused, never a failure', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.dictionary(names, value), fc.jsonValue()), async (body) => {
        expect((await world.api.call('POST', '/images', { ...demo, body })).status).toBeLessThan(500)
      }),
      { numRuns: 200 },
    )
  })
  it('so is a change', async () => {
    const { id } = await create()
    const change = fc.record(
      {
        op: fc.constantFrom('add', 'replace', 'remove', 'x'),
        path: fc.oneof(
          names.map((name) => `/${name}`),
          fc.string(),
        ),
        value,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.array(change), fc.jsonValue()), async (body) => {
        expect((await patch(id, body)).status).toBeLessThan(500)
      }),
      { numRuns: 200 },
    )
  })
  it('and a query', async () => {
    await create()
    const keys = fc.constantFrom(
      'limit',
      'marker',
      'sort',
      'sort_key',
      'sort_dir',
      'name',
      'created_at',
      'size_min',
      'visibility',
      'x',
      'tag',
      'id',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(keys, fc.string()), { maxLength: 4 }), async (pairs) => {
        expect((await world.api.call('GET', `/images?${new URLSearchParams(pairs)}`, demo)).status).toBeLessThan(500)
      }),
      { numRuns: 200 },
    )
  })
})
