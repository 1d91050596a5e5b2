/** From a rule to a function that asks it: made once, so that no request parses anything. */
import type { Principal } from '../context.ts'
import { credentialNamed, type Target, targetKey } from './attributes.ts'
import type { Rule, Template } from './rule.ts'

export type Check = (principal: Principal, target: Target) => boolean

/** `ruleNamed` gives the check of another rule; rules must not go round in a circle. */
export function compileRule(rule: Rule, ruleNamed: (name: string) => Check): Check {
  switch (rule.is) {
    case 'always':
      return () => true
    case 'never':
      return () => false
    case 'rule':
      return ruleNamed(rule.name)
    case 'not': {
      const inner = compileRule(rule.of, ruleNamed)
      return (principal, target) => !inner(principal, target)
    }
    case 'all': {
      const checks = rule.of.map((one) => compileRule(one, ruleNamed))
      return (principal, target) => checks.every((check) => check(principal, target))
    }
    case 'some': {
      const checks = rule.of.map((one) => compileRule(one, ruleNamed))
      return (principal, target) => checks.some((check) => check(principal, target))
    }
    case 'role': {
      const wanted = filled(rule.match)
      return ({ roles }, target) => {
        const role = wanted(target)
        return role !== null && (roles.includes(role) || roles.some((own) => own.toLowerCase() === role.toLowerCase()))
      }
    }
    case 'literal': {
      const wanted = filled(rule.match)
      return (_principal, target) => wanted(target) === rule.value
    }
    case 'credential': {
      const wanted = filled(rule.match)
      const read = credentialNamed(rule.name)
      return (principal, target) => {
        const text = wanted(target)
        if (text === null) return false
        const own = read(principal)
        return Array.isArray(own) ? own.includes(text) : spelled(own as string | boolean | null) === text
      }
    }
  }
}

/** As Python writes it. */
const spelled = (value: string | boolean | null): string =>
  value === null ? 'None' : value === true ? 'True' : value === false ? 'False' : value

/** The text for a target; `null` when the target lacks what it asks for: then no check of it holds. */
function filled(match: Template): (target: Target) => string | null {
  const [first = '', name, last = ''] = match
  if (name === undefined) return () => first
  const key = targetKey(name)
  if (match.length === 3 && first === '' && last === '' && key) return (target) => target[key] ?? null
  const parts = match.map((part, i) => (i % 2 === 0 ? part : { key: targetKey(part) }))
  return (target) => {
    let text = ''
    for (const part of parts) {
      const piece = typeof part === 'string' ? part : part.key && target[part.key]
      if (piece === null || piece === undefined) return null
      text += piece
    }
    return text
  }
}
