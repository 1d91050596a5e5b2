/** Who may what. @see https://docs.openstack.org/placement/latest/configuration/policy.html */
import type { Policies } from '../../base/http/index.ts'

export const policies: Policies = {
  'placement:use': 'admin|service',
  'placement:reshape': 'service',
  'placement:usages': 'admin|service|project_reader',
}
