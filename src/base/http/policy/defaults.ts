/**
 * The rules that all defaults are built on, under OpenStack's names, and the short words that tables of policies use for
 * them. Who overrides one of these rules changes every default that asks it.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/policy-concepts.html
 */

/** `'project_reader'`, several words of which one suffices (`'admin|reader'`), or a rule of oslo.policy. */
export type Policies = Readonly<Record<string, string>>
export type Scope = 'system' | 'domain' | 'project'

const owned = (role: string) => `role:${role} and project_id:%(project_id)s`

/** With `isOldToo`, what the defaults before reader and member allowed is allowed besides. */
export const baseRules = (isOldToo: boolean): Policies => {
  const [admin, owner] = isOldToo ? [' or rule:admin_api', ' or rule:admin_or_owner'] : ['', '']
  return {
    context_is_admin: 'role:admin',
    admin_required: 'role:admin',
    admin_api: 'is_admin:True',
    owner: 'project_id:%(project_id)s',
    admin_or_owner: 'is_admin:True or project_id:%(project_id)s',
    service_api: 'role:service',
    service_or_admin: 'rule:service_api or rule:context_is_admin',
    project_reader_api: `${owned('reader')}${owner}`,
    project_member_api: `${owned('member')}${owner}`,
    project_manager_api: `${owned('manager')}${admin}`,
    project_reader_or_admin: 'rule:project_reader_api or rule:context_is_admin',
    project_member_or_admin: 'rule:project_member_api or rule:context_is_admin',
    project_manager_or_admin: 'rule:project_manager_api or rule:context_is_admin',
  }
}

const words: Readonly<Record<string, string>> = {
  any: '@',
  admin: 'rule:context_is_admin',
  service: 'rule:service_or_admin',
  reader: 'role:reader',
  member: 'role:member',
  project_reader: 'rule:project_reader_or_admin',
  project_member: 'rule:project_member_or_admin',
  project_manager: 'rule:project_manager_or_admin',
  self: 'user_id:%(user_id)s or rule:context_is_admin',
}
const passesAdmin = new Set(['any', 'service', 'project_reader', 'project_member', 'project_manager', 'self'])

/** The rule that a default stands for. @throws {Error} for a word that is none. */
export function expressionOf(given: string): string {
  if (given === '' || /[:@!]/.test(given)) return given
  const named = given.split('|')
  const needed = named.some((word) => passesAdmin.has(word)) ? named.filter((word) => word !== 'admin') : named
  return needed
    .map((word) => {
      const found = Object.hasOwn(words, word) ? words[word] : undefined
      if (found === undefined) throw new Error(`unknown policy word ${word}`)
      return found
    })
    .join(' or ')
}
