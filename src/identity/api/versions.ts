/** The version documents: what clients read first. */
import { identityDialect, operation, Reply, type RequestContext, type Service } from '../../base/http/index.ts'

const v3Document = (url: string) => ({
  id: 'v3.14',
  status: 'stable',
  updated: '2020-04-07T00:00:00Z',
  links: [{ rel: 'self', href: `${url}/` }],
  'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
})

const listVersions = operation({
  method: 'GET',
  path: '/',
  status: 300,
  auth: 'none',
  handle: ({ context }: { context: RequestContext }) =>
    new Reply({
      headers: { location: `${context.baseUrl}/v3/`, vary: 'X-Auth-Token' },
      body: { versions: { values: [v3Document(`${context.baseUrl}/v3`)] } },
    }),
})

/** `GET /identity`. */
export const rootService: Service = { name: 'identity', dialect: identityDialect, operations: [listVersions], deps: {} }

export const showVersion = operation({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }: { context: RequestContext }) => ({ version: v3Document(context.baseUrl) }),
})
