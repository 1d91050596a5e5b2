/**
 * What rules may ask about: attributes of a token by the names that OpenStack's services give them, and of the thing
 * that is acted on. Keystone's dotted names (`token.project.id`, `target.user.domain_id`) stand beside the short ones.
 */
import type { Principal } from '../context.ts'

/** What is acted on: whose project (and user) it belongs to. */
export type Target = { readonly projectId?: string | null; readonly userId?: string | null; readonly domainId?: string | null }

type Value = string | boolean | readonly string[] | null
type Read = (principal: Principal) => Value

const read: Readonly<Record<string, Read>> = {
  user_id: ({ userId }) => userId,
  user_name: ({ userName }) => userName,
  user_domain_id: ({ userDomainId }) => userDomainId,
  project_id: ({ projectId }) => projectId,
  project_name: ({ projectName }) => projectName,
  project_domain_id: ({ projectDomainId }) => projectDomainId,
  domain_id: ({ domainId }) => domainId,
  system_scope: ({ systemScope }) => (systemScope ? 'all' : null),
  is_admin: ({ isAdmin }) => isAdmin,
  is_admin_project: () => true,
  roles: ({ roles }) => roles,
}

const aliases: Readonly<Record<string, string>> = {
  user: 'user_id',
  tenant: 'project_id',
  tenant_id: 'project_id',
  tenant_name: 'project_name',
  'token.user.id': 'user_id',
  'token.user.name': 'user_name',
  'token.user.domain.id': 'user_domain_id',
  'token.project.id': 'project_id',
  'token.project.name': 'project_name',
  'token.project.domain.id': 'project_domain_id',
  'token.domain.id': 'domain_id',
  'token.is_admin_project': 'is_admin_project',
  'token.roles.name': 'roles',
}

const credentials = new Map<string, Read>([
  ...Object.entries(read),
  ['token.system.all', ({ systemScope }) => systemScope],
  ...Object.entries(aliases).flatMap(([alias, name]) => (read[name] ? [[alias, read[name]] as const] : [])),
])

export const isCredential = (name: string): boolean => credentials.has(name)
export const credentialNamed = (name: string): Read => credentials.get(name) ?? (() => null)

const targetKeys: readonly [RegExp, keyof Target][] = [
  [/(^|[.:])(project|tenant)(_id|\.id)?$|^(target\.)?owner$/, 'projectId'],
  [/(^|[.:])user(_id|\.id)?$/, 'userId'],
  [/(^|[.:])domain(_id|\.id)?$/, 'domainId'],
]

/** `project_id`, `target.server.project_id`, `network:tenant_id`: whichever thing it is, there is one target. */
export const targetKey = (name: string): keyof Target | null => targetKeys.find(([pattern]) => pattern.test(name))?.[1] ?? null
export const isTargetKey = (name: string): boolean => targetKey(name) !== null
