import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../context.ts'
import type { Target } from './attributes.ts'
import { compileRule } from './compile.ts'
import { parseRule, RuleError, writtenRule } from './rule.ts'

const somebody: Principal = {
  userId: 'u',
  userName: 'una',
  userDomainId: 'default',
  projectId: 'p',
  projectName: 'pro',
  projectDomainId: 'default',
  domainId: null,
  systemScope: false,
  roles: ['member', 'Reader'],
  isAdmin: false,
  token: 't',
  auditId: 'a',
}
const holds = (rule: unknown, who: Partial<Principal> = {}, target: Target = { projectId: 'p', userId: 'u' }) =>
  compileRule(parseRule(rule).rule, () => () => false)({ ...somebody, ...who }, target)

describe('a rule', () => {
  it.each<[unknown, boolean]>([
    ['', true],
    ['@', true],
    ['!', false],
    ['role:member', true],
    ['role:reader', true],
    ['role:MEMBER', true],
    ['role:admin', false],
    ['role:admin or role:member and role:reader', true],
    ['role:admin and role:member or role:reader', true],
    ['not role:admin and role:member', true],
    ['not (role:admin or role:member)', false],
    ['not not role:member', true],
    ['(role:admin or role:member) AND Not role:nobody', true],
    ['is_admin:False', true],
    ['is_admin:True', false],
    ['is_admin_project:True', true],
    ['project_id:%(project_id)s', true],
    ['project_id:%(target.server.project_id)s and user_id:%(user_id)s', true],
    ['tenant:%(tenant_id)s', true],
    ['user_name:una', true],
    ['token.project.domain.id:default', true],
    ['domain_id:None', true],
    ['domain_id:%(target.domain.id)s', false],
    ['system_scope:all', false],
    ["'p':%(project_id)s", true],
    ['"q":%(project_id)s', false],
    ['True:%(project_id)s', false],
    ['roles:member', true],
    ['project_name:%(project_id)sro', true],
    ['(project_id:%(project_id)s)', true],
    [[], true],
    [[['role:admin'], ['role:member', 'role:reader']], true],
    [[['role:admin'], ['role:member', 'role:nobody']], false],
    [['role:admin', 'role:member'], true],
    [[['role:admin']], false],
  ])('%j is %s', (rule, expected) => {
    expect(holds(rule)).toBe(expected)
  })

  it('never takes a missing attribute of the target for one that the token lacks', () => {
    expect(holds('project_id:%(project_id)s', { projectId: null }, { projectId: null })).toBe(false)
    expect(holds('project_id:%(project_id)s', { projectId: null }, {})).toBe(false)
    expect(holds('project_name:x%(project_id)s', { projectName: 'xnull' }, { projectId: null })).toBe(false)
  })

  it('asks another by its name', () => {
    const asked: string[] = []
    const check = compileRule(parseRule('rule:other or role:member').rule, (name) => {
      asked.push(name)
      return () => false
    })
    expect([check(somebody, {}), asked]).toEqual([true, ['other']])
  })

  it.each([
    ['nonsense', 'kind:value'],
    ['http://policy.test/ask', 'no other server'],
    ['colour:blue', 'no colour'],
    ['user_id:%(shoe_size)s', 'shoe_size'],
  ])('%s can be read, is never true, and says so', (text, why) => {
    const { rule, warnings } = parseRule(text)
    expect([rule.is, warnings]).toEqual(['never', [expect.stringContaining(why)]])
    expect(holds(`not ${text}`)).toBe(true)
  })

  it.each<[unknown, string]>([
    ['role:a or', 'ends where'],
    ['and role:a', '"and" where a check'],
    ['(role:a', 'nothing closes'],
    ['role:a)', '")" where'],
    ['()', '")" where a check'],
    ['role:a role:b', '"role:b" where'],
    ['project_id:%(project_id)', '%(name)s'],
    ['project_id:50%', '%(name)s'],
    [`${'('.repeat(60)}role:a${')'.repeat(60)}`, 'deeper than 50'],
    [`${'not '.repeat(60)}role:a`, 'deeper than 50'],
    ['role:a or '.repeat(2000), 'longer than'],
    [null, 'a text, or a list'],
    [7, 'a text, or a list'],
    [[[['role:a']]], 'checks, which are texts'],
    [[7], 'checks, which are texts'],
  ])('%j is refused', (rule, why) => {
    expect(() => parseRule(rule)).toThrow(RuleError)
    expect(() => parseRule(rule)).toThrow(why)
  })
})

/** A rule as a tree, which is evaluated as it stands and written with no more parentheses than precedence needs. */
type Tree = { op: 'or' | 'and'; of: Tree[] } | { op: 'not'; of: Tree } | { op: 'role'; name: string } | { op: '@' | '!' }

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('member', 'reader', 'admin', 'nobody').map((name): Tree => ({ op: 'role', name })),
    fc.constantFrom<Tree>({ op: '@' }, { op: '!' }),
    tie('tree').map((of): Tree => ({ op: 'not', of })),
    fc.record({ op: fc.constantFrom('or' as const, 'and' as const), of: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }) }),
  ),
}))

function naive(of: Tree, roles: readonly string[]): boolean {
  if (of.op === 'or') return of.of.some((one) => naive(one, roles))
  if (of.op === 'and') return of.of.every((one) => naive(one, roles))
  if (of.op === 'not') return !naive(of.of, roles)
  return of.op === 'role' ? roles.includes(of.name) : of.op === '@'
}

const strength = { or: 1, and: 2, not: 3, role: 4, '@': 4, '!': 4 }
function written(of: Tree, around = 0): string {
  const inner =
    of.op === 'or' || of.op === 'and'
      ? of.of.map((one) => written(one, strength[of.op] + 1)).join(` ${of.op} `)
      : of.op === 'not'
        ? `not ${written(of.of, 3)}`
        : of.op === 'role'
          ? `role:${of.name}`
          : of.op
  return strength[of.op] < around ? `(${inner})` : inner
}

describe('any rule', () => {
  it('is what a naive reading of it is, however it is written', () => {
    const roles = fc.subarray(['member', 'reader', 'admin'])
    fc.assert(
      fc.property(tree, roles, (of, own) => {
        expect(holds(written(of), { roles: own })).toBe(naive(of, own))
      }),
      { numRuns: 500 },
    )
  })

  it('is read again from how it is written', () => {
    fc.assert(
      fc.property(tree, (of) => {
        const { rule } = parseRule(written(of))
        expect(parseRule(writtenRule(rule)).rule).toEqual(rule)
      }),
    )
    for (const text of ["'p':%(project_id)s and rule:other", 'project_name:%(project_id)sro or user:x'])
      expect(writtenRule(parseRule(text).rule)).toBe(text)
  })

  it('is read or refused, never anything else', () => {
    const bits = fc.constantFrom(
      '(',
      ')',
      'and',
      'or',
      'not',
      'role:a',
      '@',
      '!',
      'x',
      "'a':%(user_id)s",
      '%(',
      '%',
      ':',
      ' ',
      '  ',
      '((',
      '))',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(bits, { maxLength: 20 }).map((all) => all.join(' ')),
          fc.array(bits).map((all) => all.join('')),
        ),
        (text) => {
          try {
            parseRule(text)
          } catch (error) {
            expect(error).toBeInstanceOf(RuleError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
