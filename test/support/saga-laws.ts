/**
 * The laws of sagas, as tests: every step may run twice, failure at each step leaves a clean slate, undoing twice is
 * harmless, and a process that stops after any log row goes on where it stood.
 */
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import type { Database } from '../../src/base/db/index.ts'
import { silentLog } from '../../src/base/log.ts'
import { type AnyStep, type SagaDefinition, type SagaOutcome, SagaRunner } from '../../src/base/saga/index.ts'

export type SagaWorld<Input, Deps> = {
  db: Database
  clock: Clock
  deps: Deps
  key: string
  input: Input
  /** What the saga was to achieve; throws when it is not so. */
  expectDone(): void | Promise<void>
  /** What must be true when the saga has undone itself; throws when something was left. */
  expectUndone(): void | Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type Wrap = (step: AnyStep, index: number) => AnyStep

// biome-ignore lint/suspicious/noExplicitAny: laws hold for sagas of all types
type AnySaga<Input, Deps> = SagaDefinition<Input, Deps, any>

function wrapped<Input, Deps>(definition: AnySaga<Input, Deps>, wrap: Wrap): AnySaga<Input, Deps> {
  const copy = Object.create(definition) as AnySaga<Input, Deps>
  Object.defineProperty(copy, 'steps', { value: definition.steps.map(wrap) })
  return copy
}

const twice: Wrap = (step) => ({
  ...step,
  run: async (context, deps) => {
    await step.run(context, deps)
    return await step.run(context, deps)
  },
})

const failing =
  (at: number, when: 'before' | 'after', undoTwice: boolean): Wrap =>
  (step, index) => ({
    ...step,
    run: async (context, deps) => {
      if (index !== at) return await step.run(context, deps)
      if (when === 'after') await step.run(context, deps)
      throw new Error(`made to fail ${when} ${step.name}`)
    },
    undo: async (context, deps) => {
      await step.undo?.(context, deps)
      if (undoTwice) await step.undo?.(context, deps)
    },
  })

/** From a moment on, nothing happens any more: as if the process had ended. */
const stoppable =
  (isStopped: () => boolean): Wrap =>
  (step) => {
    const never = new Promise<never>(() => undefined)
    return {
      ...step,
      run: async (context, deps) => (isStopped() ? await never : await step.run(context, deps)),
      undo: async (context, deps) => (isStopped() ? await never : await step.undo?.(context, deps)),
    }
  }

async function run<Input, Deps>(
  definition: AnySaga<Input, Deps>,
  world: SagaWorld<Input, Deps>,
  afterLog?: () => void,
): Promise<SagaOutcome> {
  const runner = new SagaRunner({ db: world.db, clock: world.clock, log: silentLog(), ...(afterLog ? { afterLog } : {}) })
  runner.register(definition, world.deps)
  return await runner.start(definition, world.input, { key: world.key, requestId: 'req-00000000-0000-0000-0000-000000000000' })
}

/** Resolves when the saga's `rows`-th log row is written or the saga has ended before. */
async function runUntil<Input, Deps>(
  definition: AnySaga<Input, Deps>,
  world: SagaWorld<Input, Deps>,
  rows: number,
  wrap: Wrap = (step) => step,
): Promise<'stopped' | 'ended'> {
  let seen = 0
  let stop: (() => void) | undefined
  const stopped = new Promise<'stopped'>((resolve) => {
    stop = () => resolve('stopped')
  })
  const frozen = wrapped(
    wrapped(definition, wrap),
    stoppable(() => seen >= rows),
  )
  const ended = run(frozen, world, () => {
    seen += 1
    if (seen === rows) stop?.()
  }).then(() => 'ended' as const)
  return await Promise.race([stopped, ended])
}

async function resume<Input, Deps>(definition: AnySaga<Input, Deps>, world: SagaWorld<Input, Deps>): Promise<void> {
  const runner = new SagaRunner({ db: world.db, clock: world.clock, log: silentLog() })
  runner.register(definition, world.deps)
  runner.resume()
  await runner.settled()
}

export type SagaLawsOptions = {
  /** True for a saga that only goes forward: then a failure need not leave a clean slate, only an honest record. */
  forwardOnly?: boolean
}

const mostRows = 40

export function sagaLaws<Input, Deps>(
  name: string,
  definition: AnySaga<Input, Deps>,
  makeWorld: () => Promise<SagaWorld<Input, Deps>>,
  { forwardOnly = false }: SagaLawsOptions = {},
): void {
  describe(`the laws of ${name}`, () => {
    it('does what it is for', async () => {
      await using world = await makeWorld()
      expect(await run(definition, world)).toMatchObject({ state: 'done' })
      await world.expectDone()
    })

    it('may run each step twice', async () => {
      await using world = await makeWorld()
      expect(await run(wrapped(definition, twice), world)).toMatchObject({ state: 'done' })
      await world.expectDone()
    })

    for (const [i, step] of definition.steps.entries()) {
      for (const when of ['before', 'after'] as const) {
        it.skipIf(forwardOnly)(`leaves a clean slate when it fails ${when} ${step.name}, also when undone twice`, async () => {
          for (const undoTwice of [false, true]) {
            await using world = await makeWorld()
            expect(await run(wrapped(definition, failing(i, when, undoTwice)), world)).toMatchObject({ state: 'undone' })
            await world.expectUndone()
          }
        })
      }
    }

    it('goes on after a stop at any log row', async () => {
      let stops = 0
      for (let rows = 1; rows <= mostRows; rows += 1) {
        await using world = await makeWorld()
        if ((await runUntil(definition, world, rows)) === 'ended') break
        stops += 1
        await resume(definition, world)
        await world.expectDone()
      }
      expect(stops).toBeGreaterThanOrEqual(definition.steps.length)
    })

    it.skipIf(forwardOnly)('goes on undoing after a stop at any log row', async () => {
      const last = definition.steps.length - 1
      for (let rows = 1; rows <= mostRows; rows += 1) {
        await using world = await makeWorld()
        if ((await runUntil(definition, world, rows, failing(last, 'after', false))) === 'ended') break
        await resume(wrapped(definition, failing(last, 'after', false)), world)
        await world.expectUndone()
      }
    })
  })
}
