/** A saga runner on a ground of its own, whose steps note what they did; for the tests of the runner. */
import { afterEach, beforeEach } from 'vitest'
import { type ManualClock, manualClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { SagaRunner, type StepContext } from '../../src/base/saga/index.ts'
import { testGround } from './ground.ts'

export let clock: ManualClock
export let ground: ReturnType<typeof testGround>
export let runner: SagaRunner
/** What the steps did, in order. */
export let did: string[]

/** A new ground and runner for every test of the file. */
export function useSagas(): void {
  beforeEach(() => {
    clock = manualClock()
    ground = testGround({ clock })
    runner = newRunner()
    did = []
  })
  afterEach(() => ground[Symbol.dispose]())
}

export const newRunner = () => new SagaRunner({ db: ground.db, clock, log: silentLog(), metrics: ground.metrics })
export const rows = () =>
  ground.db
    .prepare<{ attempt: number; step: string; event: string }>('SELECT attempt, step, event FROM minicloud_saga_log ORDER BY id')
    .all()
    .map(({ attempt, step, event }) => `${attempt} ${step} ${event}`)
export const states = () =>
  ground.db
    .prepare<{ state: string }>('SELECT state FROM minicloud_sagas ORDER BY id')
    .all()
    .map(({ state }) => state)
export const makeTable = () => ground.db.sqlite.exec('CREATE TABLE marks (x TEXT)')
export const mark = (x: string) => ground.db.prepare('INSERT INTO marks (x) VALUES (?)').run(x)
export const marks = () =>
  ground.db
    .prepare<{ x: string }>('SELECT x FROM marks')
    .all()
    .map(({ x }) => x)

/** A step that notes what happens to it. */
export const noting = (name: string, run: (context: StepContext<unknown, unknown>) => unknown = () => name) => ({
  run: (context: StepContext<unknown, unknown>) => {
    did.push(name)
    return run(context)
  },
  undo: () => void did.push(`undo ${name}`),
})
export const fails = (message: string) => (): never => {
  throw new Error(message)
}
/** A step that waits to be let go. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  return {
    reached,
    open: resolve,
    wait: async () => {
      reach()
      await promise
    },
  }
}
/** Lets undo's pauses pass. */
export async function ended<T>(outcome: Promise<T>): Promise<T> {
  let isOpen = true
  void outcome.finally(() => {
    isOpen = false
  })
  for (let i = 0; isOpen && i < 100; i += 1) await clock.advance(100)
  return await outcome
}
