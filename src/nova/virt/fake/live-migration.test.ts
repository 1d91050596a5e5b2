import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blankGuest } from '../../../../test/contract/driver.ts'
import { type ManualClock, manualClock } from '../../../base/clock.ts'
import { loadConfig } from '../../../base/config/index.ts'
import { silentLog } from '../../../base/log.ts'
import { fakeConfig } from '../config.ts'
import { type CopyProgress, type LiveMigration, PowerState } from '../driver.ts'
import { type FakeDriver, makeFakeDriver } from './driver.ts'

let stateDir: string
let clock: ManualClock
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'mc-fake-'))
  clock = manualClock()
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

function open(index: number, flags: Record<string, string> = {}): FakeDriver & { liveMigration: LiveMigration } {
  const config = loadConfig([fakeConfig], { flags: Object.fromEntries(Object.entries(flags).map(([k, v]) => [`fake.${k}`, v])) }).get(
    fakeConfig,
  )
  const driver = makeFakeDriver({ host: `fake-${index}`, index, stateDir: join(stateDir, String(index)), clock, log: silentLog(), config })
  return driver as ReturnType<typeof open>
}
const never = () => new AbortController().signal
const minute = { live_migration_delay_ms: '60000' }

/** A guest that is being sent, with what was told of it so far. */
async function underWay(copiesDisks: boolean | null = null, flags: Record<string, string> = minute) {
  const driver = open(1, flags)
  const spec = blankGuest({ memoryMib: 100 })
  await driver.spawn(spec, never())
  const told: CopyProgress[] = []
  const controller = new AbortController()
  const how = { copiesDisks, signal: controller.signal, onProgress: (progress: CopyProgress) => told.push(progress) }
  const sent = driver.liveMigration.send(spec.uuid, 'there', how)
  sent.catch(() => undefined)
  return { driver, spec, told, controller, sent }
}

test('a copy takes its time, and tells how far it is', async () => {
  const { told, sent } = await underWay()
  await clock.advance('30 s')
  const mib = 1024 ** 2
  expect(told.at(-1)).toEqual({
    memory: { total: 100 * mib, processed: 50 * mib, remaining: 50 * mib },
    disk: { total: 1024 * mib, processed: 512 * mib, remaining: 512 * mib },
  })
  await clock.advance('30 s')
  await sent
  expect(told.at(-1)?.memory.remaining).toBe(0)
})

test('a guest is not started anew where it goes on, and is found there after a restart', async () => {
  const { spec, sent } = await underWay(null, {})
  await open(2).liveMigration.receive(spec, await sent, never())
  const there = open(2)
  expect((await there.info(spec.uuid))?.power).toBe(PowerState.running)
  const said = await there.consoleOutput(spec.uuid, null)
  expect([said.includes('start 1'), said.includes('start 2')]).toEqual([true, false])
})

test('hurried, it ends at once', async () => {
  const { driver, spec, sent } = await underWay()
  await clock.advance('6 s')
  await driver.liveMigration.forceComplete(spec.uuid)
  await sent
  await expect(driver.liveMigration.forceComplete(spec.uuid)).rejects.toMatchObject({ reason: 'wrong-state' })
})

test('called off or destroyed on the way, it fails', async () => {
  const first = await underWay()
  await clock.advance('6 s')
  first.controller.abort(new Error('called off'))
  await expect(first.sent).rejects.toThrow('called off')
  expect((await first.driver.info(first.spec.uuid))?.power).toBe(PowerState.running)
  const second = await underWay()
  await second.driver.destroy(second.spec.uuid)
  await clock.advance('6 s')
  await expect(second.sent).rejects.toMatchObject({ reason: 'not-found' })
})

test.each([
  ['shared', true, /block migration is not possible/, 0],
  ['shared', false, null, 0],
  ['local', false, /only block migration/, 1024 ** 3],
  ['local', true, null, 1024 ** 3],
  ['any', true, null, 1024 ** 3],
  ['any', false, null, 0],
])('with %s storage, copying disks: %s', async (storage, copiesDisks, refusal, bytes) => {
  const { driver, spec, told, sent } = await underWay(copiesDisks, { storage })
  await sent
  const found = await driver.liveMigration.refusal(spec.uuid, copiesDisks)
  if (refusal === null) {
    expect(found).toBeNull()
    expect(told.at(-1)?.disk.total).toBe(bytes)
  } else expect(found).toMatch(refusal)
  expect(await driver.liveMigration.refusal(spec.uuid, null)).toBeNull()
})

test('room is kept for a guest that is expected, and none is made where there is none', async () => {
  const there = open(2, { memory_mb: '100', memory_limit_ratio: '1' })
  const spec = blankGuest({ memoryMib: 80 })
  await there.liveMigration.expect(spec, never())
  await expect(there.spawn(blankGuest({ memoryMib: 80 }), never())).rejects.toMatchObject({ reason: 'no-resources' })
  await there.destroy(spec.uuid)
  await there.spawn(blankGuest({ memoryMib: 80 }), never())
  await expect(there.liveMigration.expect(spec, never())).rejects.toMatchObject({ reason: 'no-resources' })
  expect((await there.inventory()).guests).not.toContain(spec.uuid)
})

test.each(['expect', 'send', 'receive', 'forceComplete'] as const)('%s fails on request', async (action) => {
  const driver = open(1)
  const spec = blankGuest()
  if (action === 'send') await driver.spawn(spec, never())
  driver.failNext(action, 'host-down')
  const { liveMigration } = driver
  const calls = {
    expect: () => liveMigration.expect(spec, never()),
    send: () => liveMigration.send(spec.uuid, '', { copiesDisks: null, signal: never(), onProgress: () => undefined }),
    receive: () => liveMigration.receive(spec, Buffer.from('{}'), never()),
    forceComplete: () => liveMigration.forceComplete(spec.uuid),
  }
  await expect(calls[action]()).rejects.toMatchObject({ reason: 'host-down' })
})
