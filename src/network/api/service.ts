/** The two services: the list of versions, which asks for no token, and Network v2.0. */
import { networkDialect, operation, type Service } from '../../base/http/index.ts'
import type { NetworkDriver } from '../drivers/driver.ts'
import type { Store } from '../store.ts'
import { operations, v2Root } from './operations.ts'
import { policies } from './policy.ts'

export type ApiDeps = { store: Store; host: string; driver: NetworkDriver; startedAt: string }

const versions = operation({
  method: 'GET',
  path: '/',
  status: 200,
  auth: 'none',
  handle: ({ context }) => ({ versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${context.baseUrl}/v2.0/` }] }] }),
})

export const versionsService = (): Service => ({ name: 'network', dialect: networkDialect, operations: [versions], deps: {} })

/** Its policies, for whoever lists them all. */
export const networkPolicies = { service: 'network', policies, scopes: ['project'] as const, operations }

export function networkService(deps: ApiDeps): Service {
  const service: Service<ApiDeps> = {
    name: 'network',
    dialect: networkDialect,
    operations: [v2Root, ...operations],
    deps,
    policies,
    scopes: networkPolicies.scopes,
  }
  return service as Service
}
