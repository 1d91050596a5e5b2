/**
 * Who may do what, by Keystone's rule names. Admin in any scope is the cloud's administrator; a reader of the system sees
 * everything; a reader or manager of a domain sees or changes what lies in that domain.
 *
 * @see https://docs.openstack.org/keystone/latest/configuration/policy.html
 */
import type { Policies } from '../../base/http/index.ts'

const any = (...rules: string[]): string => rules.join(' or ')
const admin = 'rule:admin_required'
const inDomain = (role: string): string => `(role:${role} and domain_id:%(target.domain_id)s)`
const self = 'user_id:%(target.user.id)s'
const projectReader = '(role:reader and project_id:%(target.project.id)s)'

const sees = any(admin, '(role:reader and system_scope:all)')
const seesInDomain = any(sees, inDomain('reader'))
const changesInDomain = any(admin, inDomain('manager'))

const on = (rule: string, ...names: string[]): Policies => Object.fromEntries(names.map((name) => [`identity:${name}`, rule]))

export const policies: Policies = {
  ...on(
    admin,
    ...['create', 'update', 'delete'].flatMap((verb) =>
      ['domain', 'role', 'service', 'endpoint', 'region'].map((noun) => `${verb}_${noun}`),
    ),
    'create_implied_role',
    'delete_implied_role',
    'create_system_grant_for_user',
    'revoke_system_grant_for_user',
    'create_system_grant_for_group',
    'revoke_system_grant_for_group',
  ),
  ...on(
    changesInDomain,
    ...['create', 'update', 'delete'].flatMap((verb) => ['project', 'user', 'group'].map((noun) => `${verb}_${noun}`)),
    'add_user_to_group',
    'remove_user_from_group',
    'create_grant',
    'revoke_grant',
    'create_project_tag',
    'update_project_tags',
    'delete_project_tag',
    'delete_project_tags',
  ),
  ...on(
    seesInDomain,
    'list_domains',
    'get_domain',
    'list_projects',
    'list_users',
    'list_groups',
    'get_group',
    'list_users_in_group',
    'check_user_in_group',
    'list_grants',
    'check_grant',
    'list_role_assignments',
  ),
  ...on(any(seesInDomain, projectReader), 'get_project', 'list_project_tags', 'get_project_tag'),
  ...on(any(seesInDomain, self), 'get_user', 'list_user_projects', 'list_groups_for_user'),
  ...on(any(sees, inDomain('manager')), 'list_roles', 'get_role'),
  ...on(
    sees,
    'list_services',
    'get_service',
    'list_endpoints',
    'get_endpoint',
    'list_implied_roles',
    'get_implied_role',
    'list_role_inference_rules',
    'list_system_grants_for_user',
    'check_system_grant_for_user',
    'list_system_grants_for_group',
    'check_system_grant_for_group',
  ),
  ...on(any(sees, self), 'list_application_credentials', 'get_application_credential'),
  ...on(self, 'create_application_credential'),
  ...on(sees, 'list_credentials'),
  ...on(any(sees, self), 'get_credential'),
  ...on(any(admin, self), 'create_credential', 'update_credential', 'delete_credential'),
  ...on(any(admin, self), 'delete_application_credential', 'revoke_token'),
  ...on(any(sees, 'rule:service_or_admin', self), 'validate_token', 'check_token'),
}
