import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/base/config/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { fakeConfig, makeFakeDriver } from '../../src/nova/virt/index.ts'
import { type DriverWorld, driverContract } from './driver.ts'

async function fakeWorld(): Promise<DriverWorld> {
  const stateDir = await mkdtemp(join(tmpdir(), 'mc-fake-'))
  const config = loadConfig([fakeConfig], {}).get(fakeConfig)
  const open = () => makeFakeDriver({ host: 'fake-1', index: 0, stateDir, clock: systemClock(), log: silentLog(), config })
  let driver = open()
  return {
    get driver() {
      return driver
    },
    reopen: async () => {
      await driver[Symbol.asyncDispose]()
      driver = open()
      return driver
    },
    says: (spec) => spec.uuid,
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

driverContract('the fake', fakeWorld)
