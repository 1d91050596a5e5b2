/**
 * Policies: a named rule each, asked with who wants it and whose thing it is. Defaults come from the rooms as rule
 * expressions in oslo.policy's words; a `policy.yaml` may say otherwise.
 *
 * @see https://docs.openstack.org/oslo.policy/latest/
 */
import { forbidden } from '../errors.ts'
import type { Principal } from './context.ts'

/** What is acted on: whose project (and user) it belongs to. */
export type Target = { readonly projectId?: string | null; readonly userId?: string | null; readonly domainId?: string | null }
export type Check = (principal: Principal, target: Target) => boolean

const hasRole =
  (role: string): Check =>
  ({ roles }) =>
    roles.includes(role)
const inProject: Check = ({ projectId }, target) => projectId !== null && projectId === target.projectId
const both =
  (...checks: Check[]): Check =>
  (principal, target) =>
    checks.every((check) => check(principal, target))
const either =
  (...checks: Check[]): Check =>
  (principal, target) =>
    checks.some((check) => check(principal, target))

const admin = hasRole('admin')

/** The words that the tables of routes use for their default policies; admin passes wherever a project role does. */
export const rules = {
  none: () => true,
  any: () => true,
  admin,
  service: either(admin, hasRole('service')),
  reader: hasRole('reader'),
  project_reader: either(admin, both(hasRole('reader'), inProject)),
  project_member: either(admin, both(hasRole('member'), inProject)),
  project_manager: either(admin, both(hasRole('manager'), inProject)),
  self: either(admin, ({ userId }, target) => userId === target.userId),
} satisfies Record<string, Check>

export type RuleWord = keyof typeof rules
/** `'project_reader'`, or several of which one suffices: `'project_member|service'`. */
export type Policies = Readonly<Record<string, string | Check>>

export function checkOf(rule: string | Check): Check {
  if (typeof rule === 'function') return rule
  return either(
    ...rule.split('|').map((word): Check => {
      const found = (rules as Record<string, Check>)[word]
      if (!found) throw new Error(`unknown policy word ${word}`)
      return found
    }),
  )
}

const policySentence = (rule: string): string => `Policy doesn't allow ${rule} to be performed.`

export class PolicyEngine {
  readonly #checks = new Map<string, Check>()

  add(policies: Policies): void {
    for (const [name, rule] of Object.entries(policies)) this.#checks.set(name, checkOf(rule))
  }

  has(name: string): boolean {
    return this.#checks.has(name)
  }

  allows(name: string, principal: Principal, target: Target): boolean {
    const check = this.#checks.get(name)
    if (!check) throw new Error(`no policy ${name}`)
    return check(principal, target)
  }

  /** @throws {CloudError} `forbidden`, with OpenStack's sentence. */
  enforce(name: string, principal: Principal, target: Target, sentence = policySentence): void {
    if (!this.allows(name, principal, target)) throw forbidden(sentence(name))
  }
}
