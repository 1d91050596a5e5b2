/**
 * The rule language of oslo.policy: `role:member and (project_id:%(project_id)s or not user_id:%(user_id)s)`, `@`, `!`,
 * and the older lists of lists, any of which may hold and all of whose checks must. `not` binds before `and`, `and`
 * before `or`.
 *
 * @see https://docs.openstack.org/oslo.policy/latest/admin/policy-yaml-file.html
 */
import { isCredential, isTargetKey } from './attributes.ts'

export type Rule =
  | { readonly is: 'always' | 'never' }
  | { readonly is: 'all' | 'some'; readonly of: readonly Rule[] }
  | { readonly is: 'not'; readonly of: Rule }
  | { readonly is: 'rule'; readonly name: string }
  | { readonly is: 'role'; readonly match: Template }
  | { readonly is: 'literal'; readonly value: string; readonly match: Template }
  | { readonly is: 'credential'; readonly name: string; readonly match: Template }

/** A text in which every second part, from the second on, is the name of an attribute of the target. */
export type Template = readonly string[]

/** `warnings`: what can be read but never be true. */
export type Parsed = { readonly rule: Rule; readonly warnings: readonly string[] }

export class RuleError extends Error {}

/** Characters of one rule, and how deep parentheses and `not` may nest. */
const longest = 8192
const deepest = 50

const always: Rule = { is: 'always' }
const never: Rule = { is: 'never' }
const joined = (is: 'all' | 'some', of: readonly Rule[]): Rule => (of.length === 1 && of[0] ? of[0] : { is, of })

/** @throws {RuleError} for what is no rule. */
export function parseRule(source: unknown): Parsed {
  const warnings: string[] = []
  const rule = typeof source === 'string' ? parseText(source, warnings) : parseLists(source, warnings)
  return { rule, warnings }
}

function parseLists(source: unknown, warnings: string[]): Rule {
  if (!Array.isArray(source)) throw new RuleError('a rule is a text, or a list of lists of checks')
  if (source.length === 0) return always
  if (source.length > longest) throw new RuleError(`has more than ${longest} alternatives`)
  const alternatives = source
    .filter((item) => item !== '' && !(Array.isArray(item) && item.length === 0))
    .map((item): Rule => {
      const checks: readonly unknown[] = typeof item === 'string' ? [item] : Array.isArray(item) ? item : [null]
      const rules = checks.map((check) => {
        if (typeof check !== 'string') throw new RuleError('a list in a rule holds checks, which are texts')
        return parseCheck(check.trim(), warnings)
      })
      return joined('all', rules)
    })
  return alternatives.length === 0 ? never : joined('some', alternatives)
}

/** Words, and the parentheses at their ends: `%(` within a word is none. */
function tokensOf(text: string): string[] {
  return text.split(/\s+/).flatMap((word) => {
    const opening = /^\(*/.exec(word)?.[0].length ?? 0
    const rest = word.slice(opening)
    const closing = /\)*$/.exec(rest)?.[0].length ?? 0
    const core = rest.slice(0, rest.length - closing)
    return [...'('.repeat(opening), ...(core === '' ? [] : [core]), ...')'.repeat(closing)]
  })
}

function parseText(text: string, warnings: string[]): Rule {
  if (text.length > longest) throw new RuleError(`is longer than ${longest} characters`)
  const tokens = tokensOf(text)
  if (tokens.length === 0) return always
  let at = 0
  const word = () => tokens[at]?.toLowerCase()
  const sequence = (operator: 'or' | 'and', is: 'some' | 'all', next: (depth: number) => Rule) => (depth: number) => {
    const rules = [next(depth)]
    while (word() === operator) {
      at += 1
      rules.push(next(depth))
    }
    return joined(is, rules)
  }
  const single = (depth: number): Rule => {
    if (depth > deepest) throw new RuleError(`nests deeper than ${deepest}`)
    const token = tokens[at]
    at += 1
    if (token === undefined) throw new RuleError('ends where a check should come')
    if (token.toLowerCase() === 'not') return { is: 'not', of: single(depth + 1) }
    if (token === '(') {
      const inner = either(depth + 1)
      if (tokens[at] !== ')') throw new RuleError('has a parenthesis that nothing closes')
      at += 1
      return inner
    }
    if (token === ')' || ['and', 'or'].includes(token.toLowerCase())) throw new RuleError(`has "${token}" where a check should come`)
    return parseCheck(token, warnings)
  }
  const either = sequence('or', 'some', sequence('and', 'all', single))
  const rule = either(0)
  if (at < tokens.length) throw new RuleError(`has "${tokens[at]}" where "and", "or" or the end should come`)
  return rule
}

function parseCheck(text: string, warnings: string[]): Rule {
  if (text === '@') return always
  if (text === '!') return never
  const hopeless = (why: string): Rule => {
    warnings.push(`"${text.slice(0, 100)}" is never true: ${why}`)
    return never
  }
  const colon = text.indexOf(':')
  if (colon < 0) return hopeless('a check has the form kind:value')
  const kind = text.slice(0, colon)
  const value = text.slice(colon + 1)
  if (kind === 'rule') return { is: 'rule', name: value }
  if (kind === 'http' || kind === 'https') return hopeless('minicloud asks no other server')
  const match = templateOf(value)
  const stranger = match.find((name, i) => i % 2 === 1 && !isTargetKey(name))
  if (stranger !== undefined) return hopeless(`nothing here has an attribute ${stranger}`)
  if (kind === 'role') return { is: 'role', match }
  const literal = literalOf(kind)
  if (literal !== null) return { is: 'literal', value: literal, match }
  return isCredential(kind) ? { is: 'credential', name: kind, match } : hopeless(`a token has no ${kind}`)
}

/** @throws {RuleError} */
function templateOf(text: string): Template {
  const parts = text.split(/%\(([^()]*)\)s/)
  if (parts.some((part, i) => i % 2 === 0 && part.includes('%'))) throw new RuleError(`has "${text.slice(0, 100)}": write %(name)s`)
  return parts
}

/** What Python reads as a constant: `'member'`, `42`, `True`. */
function literalOf(kind: string): string | null {
  const quoted = /^(["'])(.*)\1$/.exec(kind)
  if (quoted) return quoted[2] ?? ''
  return /^(-?\d+|True|False|None)$/.test(kind) ? kind : null
}

/** The names of rules that a rule asks. */
export function rulesIn(rule: Rule): string[] {
  if (rule.is === 'rule') return [rule.name]
  if (rule.is === 'not') return rulesIn(rule.of)
  return rule.is === 'all' || rule.is === 'some' ? rule.of.flatMap(rulesIn) : []
}

/** A rule as text. What has several parts stands in parentheses within another. */
export function writtenRule(rule: Rule, isWithin = false): string {
  switch (rule.is) {
    case 'always':
      return '@'
    case 'never':
      return '!'
    case 'rule':
      return `rule:${rule.name}`
    case 'role':
      return `role:${writtenTemplate(rule.match)}`
    case 'literal':
      return `'${rule.value}':${writtenTemplate(rule.match)}`
    case 'credential':
      return `${rule.name}:${writtenTemplate(rule.match)}`
    case 'not':
      return `not ${writtenRule(rule.of, true)}`
    default: {
      const text = rule.of.map((one) => writtenRule(one, true)).join(rule.is === 'all' ? ' and ' : ' or ')
      return isWithin ? `(${text})` : text
    }
  }
}

const writtenTemplate = (match: Template): string => match.map((part, i) => (i % 2 === 0 ? part : `%(${part})s`)).join('')
