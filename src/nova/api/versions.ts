/**
 * Version documents: what a client reads first, without a token.
 *
 * @see https://docs.openstack.org/api-ref/compute/#api-versions
 */
import { CloudError } from '../../base/errors.ts'
import { type Incoming, type Method, operation, type RequestContext } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'

const minVersion = '2.1'
const maxVersion = '2.104'

const mediaType = (version: string) => ({
  base: 'application/json',
  type: `application/vnd.openstack.compute+json;version=${version}`,
})
const releases = {
  'v2.0': { folder: 'v2', status: 'DEPRECATED', version: '', min_version: '', updated: '2025-07-04T12:00:00Z', media: mediaType('2') },
  'v2.1': {
    folder: 'v2.1',
    status: 'CURRENT',
    version: maxVersion,
    min_version: minVersion,
    updated: '2013-07-23T11:33:21Z',
    media: mediaType('2.1'),
  },
} as const
type VersionId = keyof typeof releases
const ids: readonly VersionId[] = ['v2.0', 'v2.1']

const summary = (id: VersionId, root: string) => {
  const { folder, status, version, min_version, updated } = releases[id]
  return { id, status, version, min_version, updated, links: [{ rel: 'self', href: `${root}/${folder}/` }] }
}

const whole = (id: VersionId, root: string) => {
  const { links, ...rest } = summary(id, root)
  return {
    version: {
      ...rest,
      links: [...links, { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }],
      'media-types': [releases[id].media],
    },
  }
}

const listVersions = operation({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }: Incoming, _nova: NovaApi) => ({ versions: ids.map((id) => summary(id, context.baseUrl)) }),
})

/** For a path without a version: where it may be found. */
const choices = (method: Method) =>
  operation({
    method,
    path: '/{*path}',
    status: 300,
    auth: 'none',
    handle: ({ context, path }: Incoming, _nova: NovaApi) => ({
      choices: ids.map((id) => {
        const { folder, status, media } = releases[id]
        return { id, status, links: [{ rel: 'self', href: `${context.baseUrl}/${folder}${path}` }], 'media-types': [media] }
      }),
    }),
  })

/** Of the service's root, left of the version. */
export const rootOperations = [listVersions, choices('GET'), choices('POST'), choices('PUT'), choices('DELETE')]

/** The root, from the URL of one of its versions. */
const rootOf = ({ baseUrl }: RequestContext): string => baseUrl.replace(/\/v2(\.1)?$/, '')

/** Of the root of a version: itself. */
const showThis = operation({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }: Incoming, _nova: NovaApi) => whole(context.baseUrl.endsWith('/v2') ? 'v2.0' : 'v2.1', rootOf(context)),
})

const showVersion = operation({
  method: 'GET',
  path: '/versions/{id}',
  status: 200,
  errors: [404],
  handle: ({ context, params }: Incoming, _nova: NovaApi) => {
    const id = ids.find((one) => one === params.id)
    if (!id) throw new CloudError('not-found', 'The resource could not be found.')
    return whole(id, rootOf(context))
  },
})

export const versionOperations = [showThis, showVersion]
