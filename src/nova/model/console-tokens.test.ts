import { afterEach, beforeEach, expect, test } from 'vitest'
import { testGround } from '../../../test/support/ground.ts'
import { type ManualClock, manualClock } from '../../base/clock.ts'
import { ConsoleTokens } from './console-tokens.ts'

const console = {
  consoleType: 'novnc',
  instanceUuid: 'b48316c5-71e8-45e4-9884-6c78055b9b13',
  host: 'host1',
  port: 0,
  tlsPort: null,
  internalAccessPath: '/run/guest.vnc',
  accessUrlBase: 'http://cloud.test/console/vnc_lite.html',
}

let clock: ManualClock
let ground: ReturnType<typeof testGround>
let tokens: ConsoleTokens

beforeEach(() => {
  clock = manualClock()
  ground = testGround({ clock })
  tokens = new ConsoleTokens(ground)
})
afterEach(() => ground[Symbol.dispose]())

test('a token looks like a uuid, is another each time, and only its hash is kept', () => {
  const made = Array.from({ length: 50 }, () => tokens.create(console, 600))
  expect(new Set(made).size).toBe(50)
  for (const token of made) expect(token).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  const rows = JSON.stringify(ground.db.prepare('SELECT * FROM console_auth_tokens').all())
  for (const token of made) expect(rows).not.toContain(token)
  expect(rows).toMatch(/"token_hash":"[0-9a-f]{64}"/)
})

test('what was kept is found until it expires, to the second', async () => {
  const token = tokens.create(console, 600)
  expect(tokens.find(token)).toEqual({ ...console, expires: clock.now() / 1000 + 600 })
  await clock.advance('599 s')
  expect(tokens.find(token)).not.toBeNull()
  await clock.advance('1 s')
  expect(tokens.find(token)).toBeNull()
  expect(tokens.consume(token)).toBe(false)
})

test('a token is consumed once', () => {
  const token = tokens.create(console, 600)
  expect([tokens.consume(token), tokens.consume(token)]).toEqual([true, false])
  expect(tokens.find(token)).toBeNull()
})

test("revoking ends a server's tokens and no other's", () => {
  const own = tokens.create(console, 600)
  const other = tokens.create({ ...console, instanceUuid: '16802173-4e67-44f9-ba84-6d99080b81b5' }, 600)
  tokens.revoke(console.instanceUuid)
  expect(tokens.find(own)).toBeNull()
  expect(tokens.find(other)).not.toBeNull()
})

test('sweeping removes the rows of expired tokens only', async () => {
  tokens.create(console, 10)
  const kept = tokens.create(console, 600)
  await clock.advance('30 s')
  tokens.removeExpired()
  expect(ground.db.prepare<{ n: number }>('SELECT count(*) AS n FROM console_auth_tokens').get()?.n).toBe(1)
  expect(tokens.find(kept)).not.toBeNull()
})

test('what is no token is not found', () => {
  tokens.create(console, 600)
  for (const text of ['', ' ', '%', "' OR 1=1 --", 'x'.repeat(10_000)]) expect(tokens.find(text)).toBeNull()
})
