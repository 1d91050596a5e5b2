/** The list of API versions, by which clients find v2. @see https://docs.openstack.org/api-ref/image/versions/ */
import { imageDialect, operation, Reply, type RequestContext, type Service } from '../../base/http/index.ts'

/** Newest first; the numbers that a Glance with one store and no cache has. */
const versions = ['2.17', '2.16', '2.15', '2.9', '2.7', '2.6', '2.5', '2.4', '2.3', '2.2', '2.1', '2.0']

const document = ({ baseUrl }: RequestContext) => ({
  versions: versions.map((number, i) => ({
    id: `v${number}`,
    status: i === 0 ? 'CURRENT' : 'SUPPORTED',
    links: [{ rel: 'self', href: `${baseUrl}/v2/` }],
  })),
})

const listVersions = operation({
  method: 'GET',
  path: '/',
  status: 300,
  auth: 'none',
  handle: ({ context }) => new Reply({ body: document(context) }),
})

const showVersions = operation({ method: 'GET', path: '/versions', status: 200, auth: 'none', handle: ({ context }) => document(context) })

export const versionsService: Service = { name: 'image', dialect: imageDialect, operations: [listVersions, showVersions], deps: {} }
