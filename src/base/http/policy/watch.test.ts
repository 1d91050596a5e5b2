import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testPrincipals } from '../../../../test/support/api.ts'
import { manualClock } from '../../clock.ts'
import { loadConfig } from '../../config/index.ts'
import { silentLog } from '../../log.ts'
import { policyConfig } from './config.ts'
import { PolicyEngine } from './engine.ts'
import { PolicyFiles } from './watch.ts'

let dir: string
let engine: PolicyEngine
let said: string[]
const log = { info: () => undefined, warn: (line: string) => said.push(line), error: (line: string) => said.push(line) } as never

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'minicloud-policy-'))
  engine = new PolicyEngine()
  engine.add({ see: 'project_reader', change: 'admin' })
  said = []
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const files = (flags: Record<string, string> = {}, configFiles: string[] = []) =>
  new PolicyFiles(engine, { config: loadConfig([policyConfig], { flags }), configFiles, dataDir: dir })
const put = (name: string, text: string) => writeFileSync(join(dir, name), text)
const mayChange = (name: string) => engine.allows('change', testPrincipals()[name]!, {})
const looks = async (of: PolicyFiles) => {
  await of.check(log)
  await of.check(log)
}

describe('at the start', () => {
  it('no file leaves the defaults', async () => {
    await files().load()
    expect([mayChange('admin'), mayChange('reader')]).toEqual([true, false])
  })

  it.each([
    ['change: role:reader', true],
    ['{"change": "role:reader"}', true],
    ['"change": [["role:admin"], ["role:reader"]]', true],
    ['change: ""', true],
    ['change: []', true],
    ['# nothing\n', false],
    ['', false],
    ['change: "!"', false],
  ])('%j is read', async (text, readers) => {
    put('policy.yaml', text)
    await files().load()
    expect(mayChange('reader')).toBe(readers)
  })

  it.each([
    ['a: "@"\nchange: role:a or\n', ':2: change: ends where'],
    ['change: !\n', ':1: change: write rules that begin with "!" in quotes'],
    ['change: @\n', ':1: '],
    ['change:\n', ':1: change: has no rule'],
    ['change: true\n', ':1: change: true is no rule'],
    ['change: {a: b}\n', ':1: change: a rule is a text'],
    ['a: &x "@"\nchange: *x\n', ':2: change: write the rule itself'],
    ['change: "@"\nchange: "!"\n', ':2: Map keys must be unique'],
    ['- change\n', ':1: expected names'],
    ['[1]: "@"\n', ':1: a policy has a name'],
    ['a: "@"\n\nchange: rule:b\nb: rule:change\n', ':3: change: rules ask each other in a circle: change → b → change'],
    ['['.repeat(20_000), ''],
  ])('%j ends it with one line', async (text, why) => {
    put('policy.yaml', text)
    const error = await files()
      .load()
      .then(
        () => null,
        (thrown: Error) => thrown,
      )
    expect(error?.name).toBe('Error')
    expect(error?.message).toContain(join(dir, `policy.yaml${why}`))
    expect(error?.message).not.toContain('\n')
  })

  it('a file that was asked for must be there', async () => {
    await expect(files({ 'oslo_policy.policy_file': 'mine.yaml' }).load()).rejects.toThrow('there is no such file')
    put('mine.yaml', 'change: role:reader')
    await files({ 'oslo_policy.policy_file': 'mine.yaml' }).load()
    expect(mayChange('reader')).toBe(true)
  })

  it('what lies beside the configuration comes first, and folders have the last word', async () => {
    mkdirSync(join(dir, 'etc/policy.d'), { recursive: true })
    put('policy.yaml', 'change: role:service')
    put('etc/policy.yaml', 'change: role:member\nsee: "!"')
    put('etc/policy.d/20.yaml', 'change: role:reader')
    put('etc/policy.d/10.yaml', 'change: role:nobody')
    put('etc/policy.d/README', 'not: a rule')
    await files({}, [join(dir, 'etc/minicloud.conf')]).load()
    expect([mayChange('service'), mayChange('reader')]).toEqual([false, true])
    expect(engine.allows('see', testPrincipals().admin!, {})).toBe(false)
  })

  it('says what it doubts, with the line', async () => {
    put('policy.yaml', 'chnage: "@"\nsee: colour:blue')
    const read = files()
    await read.load()
    expect(read.warnings).toEqual([
      expect.stringContaining('policy.yaml:2: see: "colour:blue" is never true'),
      expect.stringContaining('policy.yaml:1: chnage: no policy has this name, and no rule asks it; did you mean change?'),
    ])
  })
})

describe('while running', () => {
  it('a change is taken when it has settled', async () => {
    const read = files()
    await read.load()
    put('policy.yaml', 'change: role:reader')
    await read.check(log)
    expect(mayChange('reader')).toBe(false)
    await read.check(log)
    expect(mayChange('reader')).toBe(true)
    put('next.yaml', 'change: role:service')
    renameSync(join(dir, 'next.yaml'), join(dir, 'policy.yaml'))
    await looks(read)
    expect([mayChange('reader'), mayChange('service')]).toEqual([false, true])
    rmSync(join(dir, 'policy.yaml'))
    await looks(read)
    expect([mayChange('admin'), mayChange('service')]).toEqual([true, false])
  })

  it('a bad change keeps the old rules and is complained of once', async () => {
    put('policy.yaml', 'change: role:reader')
    const read = files()
    await read.load()
    put('policy.yaml', 'change: (role:service')
    await looks(read)
    await looks(read)
    expect(said).toEqual([expect.stringContaining('policy.yaml:1: change: has a parenthesis that nothing closes')])
    expect(mayChange('reader')).toBe(true)
    put('policy.yaml', 'change: role:service')
    await looks(read)
    expect(mayChange('service')).toBe(true)
  })

  it('the clock makes it look, until it is disposed of', async () => {
    const clock = manualClock()
    const read = files()
    await read.load()
    read.watch({ clock, log: silentLog() })
    put('policy.yaml', 'change: role:reader')
    await expect.poll(() => clock.advance('500 ms').then(() => mayChange('reader')), { timeout: 5000, interval: 5 }).toBe(true)
    read[Symbol.dispose]()
    put('policy.yaml', '# back')
    utimesSync(join(dir, 'policy.yaml'), 1, 1)
    await clock.advance('1 min')
    expect(mayChange('reader')).toBe(true)
  })
})
