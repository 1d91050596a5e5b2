/** All operations of Network v2.0, and the list of resources at its root. */
import { type AnyOperation, operation } from '../../base/http/index.ts'
import { extensionOperations } from './extensions.ts'
import { floatingIpOperations } from './floating-ips.ts'
import { hostOperations } from './host.ts'
import { networkOperations } from './networks.ts'
import { portOperations } from './ports.ts'
import { quotaOperations } from './quotas.ts'
import { routerOperations } from './routers.ts'
import { securityGroupOperations } from './security-groups.ts'
import type { ApiDeps } from './service.ts'
import { subnetOperations } from './subnets.ts'
import { allTagOperations } from './tags.ts'

const roots = ['network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'security_group_rule', 'extension', 'quota']

export const v2Root = operation<ApiDeps>({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }) => ({
    resources: roots.map((name) => ({
      name,
      collection: `${name}s`,
      links: [{ rel: 'self', href: `${context.baseUrl}/${`${name}s`.replaceAll('_', '-')}` }],
    })),
  }),
})

/** Collections of things that clients ask for in passing and that this cloud has none of. */
const empty = (path: string, collection: string): AnyOperation<ApiDeps> =>
  operation<ApiDeps>({ method: 'GET', path, status: 200, errors: [403], policy: 'get_empty', handle: () => ({ [collection]: [] }) })

export const operations: AnyOperation<ApiDeps>[] = [
  ...networkOperations,
  ...subnetOperations,
  ...portOperations,
  ...securityGroupOperations,
  ...routerOperations,
  ...floatingIpOperations,
  ...quotaOperations,
  ...allTagOperations,
  ...extensionOperations,
  ...hostOperations,
  empty('/subnetpools', 'subnetpools'),
  empty('/address-scopes', 'address_scopes'),
  empty('/rbac-policies', 'rbac_policies'),
  empty('/trunks', 'trunks'),
  empty('/service-providers', 'service_providers'),
]
