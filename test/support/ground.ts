/** The ground for tests: an in-memory database, a clock that tests move, no log. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Clock, manualClock } from '../../src/base/clock.ts'
import { loadConfig, type Section } from '../../src/base/config/index.ts'
import { Database } from '../../src/base/db/index.ts'
import type { Ground } from '../../src/base/ground.ts'
import { silentLog } from '../../src/base/log.ts'
import { makeMetrics } from '../../src/base/metrics.ts'
import { InProcessQueue } from '../../src/base/queue/index.ts'
import { SagaRunner } from '../../src/base/saga/index.ts'

export type TestGroundOptions = { sections?: Section[]; flags?: Record<string, string>; clock?: Clock; file?: string }

/** Folders of grounds; they go at the latest with their test file, since many tests never dispose theirs. */
const folders = new Set<string>()
afterAll(() => {
  for (const folder of folders) remove(folder)
})

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

export function testGround({
  sections = [],
  flags = {},
  clock = manualClock(),
  file = ':memory:',
}: TestGroundOptions = {}): Ground & Disposable {
  const log = silentLog()
  const db = new Database({ file, synchronous: 'OFF' })
  const metrics = makeMetrics()
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-test-'))
  folders.add(dataDir)
  return {
    db,
    clock,
    log,
    metrics,
    config: loadConfig(sections, { flags }),
    queue: new InProcessQueue({ log }),
    sagas: new SagaRunner({ db, clock, log, metrics }),
    dataDir,
    [Symbol.dispose]() {
      db[Symbol.dispose]()
      remove(dataDir)
    },
  }
}
