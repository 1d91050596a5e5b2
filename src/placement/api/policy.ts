/** Who may what. @see https://docs.openstack.org/placement/latest/configuration/policy.html */
import type { Policies } from '../../base/http/index.ts'

export const policies: Policies = {
  'placement:use': 'service',
  'placement:reshape': 'service',
  'placement:usages': 'service|project_reader',
}
