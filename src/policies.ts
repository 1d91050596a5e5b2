/** The policies of all services, as one `policy.yaml` names them. */
import type { AnyOperation, Policies, Scope } from './base/http/index.ts'
import { identityPolicies } from './identity/index.ts'
import { imagePolicies } from './image/index.ts'
import { networkPolicies } from './network/index.ts'
import { computePolicies } from './nova/api/index.ts'
import { placementPolicies } from './placement/index.ts'

export type ServicePolicies = {
  readonly service: string
  readonly policies: Policies
  /** `null`: all. */
  readonly scopes: readonly Scope[] | null
  readonly operations: readonly AnyOperation[]
}

export const servicePolicies: readonly ServicePolicies[] = [
  computePolicies as ServicePolicies,
  identityPolicies as ServicePolicies,
  imagePolicies as ServicePolicies,
  networkPolicies as ServicePolicies,
  placementPolicies as ServicePolicies,
]
