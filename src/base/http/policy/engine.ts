/**
 * Policies: a named rule each, asked with who wants it and whose thing it is. Defaults come from the services; an
 * operator's file may say otherwise.
 *
 * @see https://docs.openstack.org/oslo.policy/latest/
 */
import { forbidden } from '../../errors.ts'
import { nearest } from '../../nearest.ts'
import type { Principal } from '../context.ts'
import type { Target } from './attributes.ts'
import { type Check, compileRule } from './compile.ts'
import { baseRules, expressionOf, type Policies, type Scope } from './defaults.ts'
import { parseRule, type Rule, RuleError, rulesIn, writtenRule } from './rule.ts'

export type PolicySettings = {
  /** Refuse tokens of a scope that a policy is not for. */
  readonly enforceScope?: boolean
  /** When false, what older defaults allowed is allowed too. */
  readonly enforceNewDefaults?: boolean
  /** Asked in place of a rule that nobody defined. */
  readonly defaultRule?: string
}

export type KnownPolicy = { readonly name: string; readonly text: string; readonly rule: Rule; readonly scopes: readonly Scope[] | null }

/** A rule of the operator's that cannot be. */
export class OverrideError extends Error {
  readonly rule: string
  constructor(rule: string, why: string) {
    super(why)
    this.rule = rule
  }
}

/** Rules that ask rules that ask rules … */
const longestChain = 100
const policySentence = (rule: string): string => `Policy doesn't allow ${rule} to be performed.`
const scopeOf = ({ systemScope, domainId }: Principal): Scope => (systemScope ? 'system' : domainId === null ? 'project' : 'domain')

export class PolicyEngine {
  readonly #settings: PolicySettings
  readonly #defaults = new Map<string, KnownPolicy>()
  #overrides: ReadonlyMap<string, Rule> = new Map()
  /** Compiled when first asked; whatever changes a rule empties it. */
  readonly #checks = new Map<string, Check>()

  constructor(settings: PolicySettings = {}) {
    this.#settings = settings
    this.add(baseRules(settings.enforceNewDefaults === false))
  }

  /** `scopes`: of tokens that may pass; `null` for all. @throws {Error} for a default that is no rule. */
  add(policies: Policies, scopes: readonly Scope[] | null = null): void {
    for (const [name, given] of Object.entries(policies)) {
      const text = expressionOf(given)
      const { rule, warnings } = parseRule(text)
      if (warnings[0] !== undefined) throw new RuleError(`${name}: ${warnings[0]}`)
      this.#defaults.set(name, { name, text, rule, scopes })
    }
    this.#checks.clear()
  }

  /**
   * Puts an operator's rules in place of those that were put here before; a rule may have a name of the operator's own.
   * @throws {OverrideError} when rules go round in a circle; then nothing has changed.
   */
  override(rules: ReadonlyMap<string, Rule>): void {
    this.#refuseCircles(rules)
    this.#overrides = rules
    this.#checks.clear()
  }

  /** What is strange about rules, by rule: names that nobody asks, and rules that are asked and not there. */
  doubts(rules: ReadonlyMap<string, Rule>): { rule: string; why: string }[] {
    const asked = new Set([...rules.values()].flatMap(rulesIn))
    const known = (name: string) => this.#defaults.has(name) || rules.has(name) || name === this.#settings.defaultRule
    const meant = (name: string) => {
      const close = nearest(
        name,
        [...this.#defaults.keys(), ...rules.keys()].filter((other) => other !== name),
      )
      return close === null ? '' : `; did you mean ${close}?`
    }
    return [...rules].flatMap(([name, rule]) => [
      ...(this.#defaults.has(name) || asked.has(name) || name === this.#settings.defaultRule
        ? []
        : [{ rule: name, why: `no policy has this name, and no rule asks it${meant(name)}` }]),
      ...rulesIn(rule)
        .filter((other) => !known(other))
        .map((other) => ({ rule: name, why: `asks rule:${other}, which is not defined${meant(other)}` })),
    ])
  }

  has(name: string): boolean {
    return this.#defaults.has(name)
  }

  known(): KnownPolicy[] {
    return [...this.#defaults.values()]
  }

  /** Every rule by its name, as it is written: the operator's where there is one. */
  texts(): [string, string][] {
    const own = [...this.#overrides].map(([name, rule]): [string, string] => [name, writtenRule(rule)])
    const names = new Map([...this.known().map(({ name, text }): [string, string] => [name, text]), ...own])
    return [...names]
  }

  allows(name: string, principal: Principal, target: Target): boolean {
    const policy = this.#defaults.get(name)
    if (!policy) throw new Error(`no policy ${name}`)
    if (policy.scopes && this.#settings.enforceScope !== false && !policy.scopes.includes(scopeOf(principal))) return false
    return this.#check(name)(principal, target)
  }

  /** @throws {CloudError} `forbidden`, with OpenStack's sentence. */
  enforce(name: string, principal: Principal, target: Target, sentence = policySentence): void {
    if (!this.allows(name, principal, target)) throw forbidden(sentence(name))
  }

  /** The principal as `rule`, the service's own word for an administrator, sees it. */
  judged(principal: Principal, rule = 'context_is_admin'): Principal {
    const isAdmin = this.#check(rule)(principal, principal)
    return isAdmin === principal.isAdmin ? principal : { ...principal, isAdmin }
  }

  /** What a name stands for; a name that nobody defined stands for the default rule, where there is one. */
  #ruleOf(name: string, overrides = this.#overrides): Rule | undefined {
    const own = (one: string) => overrides.get(one) ?? this.#defaults.get(one)?.rule
    return own(name) ?? own(this.#settings.defaultRule ?? 'default')
  }

  #check(name: string): Check {
    const made = this.#checks.get(name)
    if (made) return made
    const rule = this.#ruleOf(name)
    const check: Check = rule ? compileRule(rule, (other) => this.#check(other)) : () => false
    this.#checks.set(name, check)
    return check
  }

  #refuseCircles(rules: ReadonlyMap<string, Rule>): void {
    const sound = new Set<string>()
    const visit = (name: string, above: readonly string[]): void => {
      if (sound.has(name)) return
      const circle = above.includes(name)
      if (circle || above.length > longestChain) {
        const round = above.slice(Math.max(0, above.indexOf(name)))
        const blamed = [...round, ...above].find((other) => rules.has(other)) ?? name
        throw new OverrideError(
          blamed,
          circle
            ? `rules ask each other in a circle: ${[...round, name].join(' → ')}`
            : `rules ask more than ${longestChain} others in a row`,
        )
      }
      const rule = this.#ruleOf(name, rules)
      for (const other of rule ? rulesIn(rule) : []) visit(other, [...above, name])
      sound.add(name)
    }
    for (const name of rules.keys()) visit(name, [])
  }
}
