import { describe, expect, it } from 'vitest'
import { testPrincipals } from '../../../../test/support/api.ts'
import type { Principal } from '../context.ts'
import { PolicyEngine, type PolicySettings } from './engine.ts'
import { parseRule } from './rule.ts'

const people = testPrincipals()
const who = (name: string, more: Partial<Principal> = {}): Principal => ({ ...people[name]!, ...more })
const rulesOf = (texts: Record<string, string>) => new Map(Object.entries(texts).map(([name, text]) => [name, parseRule(text).rule]))

function engineOf(overrides: Record<string, string> = {}, settings: PolicySettings = {}): PolicyEngine {
  const engine = new PolicyEngine(settings)
  engine.add({ see: 'project_reader', change: 'project_member', rule: 'admin', open: 'any' }, ['project'])
  engine.add({ everywhere: 'admin' })
  engine.override(rulesOf(overrides))
  return engine
}
const demo = who('demo')
const theirs = { projectId: demo.projectId, userId: demo.userId }

describe('an override', () => {
  it('of one policy changes that one', () => {
    const engine = engineOf({ change: 'role:reader and project_id:%(project_id)s', rule: '!' })
    expect(engine.allows('change', who('reader'), theirs)).toBe(true)
    expect(engine.allows('rule', who('admin'), theirs)).toBe(false)
    expect(engine.allows('see', who('admin'), theirs)).toBe(true)
  })

  it('of a rule below changes all that are built on it', () => {
    const engine = engineOf({ project_reader_or_admin: 'role:auditor' })
    expect(engine.allows('see', who('reader'), theirs)).toBe(false)
    expect(engine.allows('see', who('other', { roles: ['auditor'] }), theirs)).toBe(true)
    expect(engine.allows('change', demo, theirs)).toBe(true)
  })

  it('of context_is_admin says who is an administrator', () => {
    const engine = engineOf({ context_is_admin: 'role:operator' })
    const operator = who('other', { roles: ['operator'] })
    expect([engine.judged(operator).isAdmin, engine.judged(who('admin')).isAdmin]).toEqual([true, false])
    expect(engine.judged(demo)).toBe(demo)
    expect([engine.allows('rule', operator, theirs), engine.allows('rule', who('admin'), theirs)]).toEqual([true, false])
    expect(engine.judged(who('admin'), 'admin_required').isAdmin).toBe(true)
  })

  it('may bring rules of its own, and is gone with the next', () => {
    const engine = engineOf({ operators: 'role:operator', rule: 'rule:operators' })
    const operator = who('other', { roles: ['operator'] })
    expect(engine.allows('rule', operator, theirs)).toBe(true)
    engine.override(new Map())
    expect(engine.allows('rule', operator, theirs)).toBe(false)
  })

  it.each([
    [{ a: 'rule:a' }, 'a → a'],
    [{ a: 'rule:b or role:x', b: 'not rule:a' }, 'a → b → a'],
    [{ context_is_admin: 'rule:project_reader_or_admin' }, 'context_is_admin → project_reader_or_admin'],
    [{ default: 'rule:nothing' }, 'nothing → nothing'],
  ])('that goes round in a circle is refused: %j', (texts, said) => {
    const engine = engineOf({ rule: 'role:operator' })
    expect(() => engine.override(rulesOf(texts as Record<string, string>))).toThrow(said)
    expect(engine.allows('rule', who('other', { roles: ['operator'] }), theirs)).toBe(true)
  })

  it('in a long chain is refused', () => {
    const chain = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`r${i}`, `rule:r${i + 1}`]))
    expect(() => engineOf(chain)).toThrow('in a row')
  })

  it('asks the default rule where one is missing, and allows nobody where that is missing too', () => {
    expect(engineOf({ rule: 'rule:missing' }).allows('rule', who('admin'), theirs)).toBe(false)
    expect(engineOf({ rule: 'rule:missing', default: '@' }).allows('rule', demo, theirs)).toBe(true)
    expect(engineOf({ rule: 'rule:missing', last: '@' }, { defaultRule: 'last' }).allows('rule', demo, theirs)).toBe(true)
  })

  it('with a name that nobody asks, or that asks nobody, is doubted', () => {
    const engine = engineOf()
    const rules = rulesOf({ chnage: '@', operators: 'role:o', see: 'rule:operators or rule:projet_reader_api', zzzzzzzz: '!' })
    expect(engine.doubts(rules).map(({ rule, why }) => `${rule}: ${why}`)).toEqual([
      'chnage: no policy has this name, and no rule asks it; did you mean change?',
      'see: asks rule:projet_reader_api, which is not defined; did you mean project_reader_api?',
      'zzzzzzzz: no policy has this name, and no rule asks it',
    ])
  })
})

describe('scopes', () => {
  const system = who('admin', { projectId: null, systemScope: true })
  const domain = who('admin', { projectId: null, domainId: 'default' })
  it('keep tokens of another scope out', () => {
    const engine = engineOf()
    const asked = ['rule', 'open', 'everywhere']
    expect(asked.map((name) => engine.allows(name, system, {}))).toEqual([false, false, true])
    expect(asked.map((name) => engine.allows(name, domain, {}))).toEqual([false, false, true])
  })
  it('may be left unenforced', () => {
    expect(engineOf({}, { enforceScope: false }).allows('rule', system, {})).toBe(true)
  })
})

it('without new defaults whoever is of the project may, and administrators by name', () => {
  const nobody = who('demo', { roles: ['whatever'] })
  expect(engineOf({}).allows('change', nobody, theirs)).toBe(false)
  const old = engineOf({}, { enforceNewDefaults: false })
  expect(old.allows('change', nobody, theirs)).toBe(true)
  expect(old.allows('change', who('other', { roles: ['whatever'] }), theirs)).toBe(false)
  expect(old.allows('rule', nobody, theirs)).toBe(false)
})
