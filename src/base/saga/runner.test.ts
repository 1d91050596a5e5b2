import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testGround } from '../../../test/support/ground.ts'
import { type ManualClock, manualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { turn } from '../turn.ts'
import { RetryFrom, SagaRunner, type StepContext, saga, sagaConfig } from './index.ts'

let clock: ManualClock
let ground: ReturnType<typeof testGround>
let runner: SagaRunner
/** What the steps did, in order. */
let did: string[]

beforeEach(() => {
  clock = manualClock()
  ground = testGround({ clock })
  runner = newRunner()
  did = []
})
afterEach(() => ground[Symbol.dispose]())

const newRunner = () => new SagaRunner({ db: ground.db, clock, log: silentLog(), metrics: ground.metrics })
const rows = () =>
  ground.db
    .prepare<{ attempt: number; step: string; event: string }>('SELECT attempt, step, event FROM minicloud_saga_log ORDER BY id')
    .all()
    .map(({ attempt, step, event }) => `${attempt} ${step} ${event}`)
const states = () =>
  ground.db
    .prepare<{ state: string }>('SELECT state FROM minicloud_sagas ORDER BY id')
    .all()
    .map(({ state }) => state)
const makeTable = () => ground.db.sqlite.exec('CREATE TABLE marks (x TEXT)')
const mark = (x: string) => ground.db.prepare('INSERT INTO marks (x) VALUES (?)').run(x)
const marks = () =>
  ground.db
    .prepare<{ x: string }>('SELECT x FROM marks')
    .all()
    .map(({ x }) => x)

/** A step that notes what happens to it. */
const noting = (name: string, run: (context: StepContext<unknown, unknown>) => unknown = () => name) => ({
  run: (context: StepContext<unknown, unknown>) => {
    did.push(name)
    return run(context)
  },
  undo: () => void did.push(`undo ${name}`),
})
const fails = (message: string) => (): never => {
  throw new Error(message)
}
/** A step that waits to be let go. */
function gate() {
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
async function ended<T>(outcome: Promise<T>): Promise<T> {
  let isOpen = true
  void outcome.finally(() => {
    isOpen = false
  })
  for (let i = 0; isOpen && i < 100; i += 1) await clock.advance(100)
  return await outcome
}

describe('forward', () => {
  it('runs the steps in order and logs a start and an end of each', async () => {
    const two = saga<{ n: number }, { add: number }>('two/1')
      .step('a', { run: ({ input }, { add }) => input.n + add })
      .step('b', { run: ({ outputs }) => outputs.a * 2 })
    runner.register(two, { add: 1 })
    expect(await runner.start(two, { n: 2 }, { key: 'k' })).toMatchObject({ state: 'done' })
    expect(rows()).toEqual(['1 a started', '1 a finished', '1 b started', '1 b finished'])
    const outputs = ground.db.prepare(`SELECT step, output FROM minicloud_saga_log WHERE event = 'finished'`).all()
    expect(outputs).toEqual([
      { step: 'a', output: '3' },
      { step: 'b', output: '6' },
    ])
    expect(states()).toEqual(['done'])
  })

  it('commits a step’s own change with its row and tells the end in the transaction of the last', async () => {
    makeTable()
    const one = saga<null, null>('one/1')
      .step('a', { run: () => 'out', commit: (_context, output) => void mark(`commit ${output}`) })
      .end({ done: (_context, outputs) => void mark(`done ${String(outputs.a)} ${ground.db.sqlite.inTransaction}`) })
    runner.register(one, null)
    await runner.start(one, null, { key: 'k' })
    expect(marks()).toEqual(['commit out', 'done out true'])
  })

  it('turns back, without the row and the change, when a commit throws', async () => {
    makeTable()
    const one = saga<null, null>('one/1').step('a', {
      ...noting('a'),
      commit: () => {
        mark('half')
        throw new Error('no')
      },
    })
    runner.register(one, null)
    expect(await runner.start(one, null, { key: 'k' })).toMatchObject({ state: 'undone', error: { message: 'no' } })
    expect(marks()).toEqual([])
    expect(rows()).toEqual(['1 a started', '1 a failed', '1 a undone'])
    expect(did).toEqual(['a', 'undo a'])
  })

  it('turns back when the end throws', async () => {
    const one = saga<null, null>('one/1')
      .step('a', noting('a'))
      .end({ done: fails('no end') })
    runner.register(one, null)
    expect(await runner.start(one, null, { key: 'k' })).toMatchObject({ state: 'undone', error: { message: 'no end' } })
    expect(did).toEqual(['a', 'undo a'])
  })
})

describe('back', () => {
  it('undoes in the opposite order what has started, with its output, and tells the end why', async () => {
    const told: string[] = []
    const outputs: unknown[] = []
    const three = saga<null, null>('three/1')
      .step('a', { run: () => 7, undo: ({ output }) => void outputs.push(output) })
      .step('b', { run: fails('boom'), undo: ({ output }) => void outputs.push(output) })
      .step('c', noting('c'))
      .end({ undone: (_context, error) => void told.push(error.message) })
    runner.register(three, null)
    expect(await runner.start(three, null, { key: 'k' })).toMatchObject({ state: 'undone' })
    expect([outputs, did, told]).toEqual([[undefined, 7], [], ['boom']])
    expect(rows()).toEqual(['1 a started', '1 a finished', '1 b started', '1 b failed', '1 b undone', '1 a undone'])
  })

  it('is stuck after three tries of an undo, keeps the rest, and goes on at the next start with the first reason', async () => {
    let broken = true
    let tries = 0
    const told: string[] = []
    const two = saga<null, null>('two/1')
      .step('a', noting('a'))
      .step('b', {
        run: fails('boom'),
        undo: () => {
          tries += 1
          if (broken) throw new Error('jammed')
        },
      })
      .end({ undone: (_context, error) => void told.push(error.message) })
    runner.register(two, null)
    expect(await ended(runner.start(two, null, { key: 'k' }))).toMatchObject({ state: 'stuck', error: { message: 'jammed' } })
    expect([tries, did, states()]).toEqual([3, ['a'], ['stuck']])
    expect(rows().at(-1)).toBe('1 b undo-failed')
    broken = false
    const next = newRunner()
    next.register(two, null)
    expect(next.resume()).toBe(1)
    await next.settled()
    expect([states(), did, told]).toEqual([['undone'], ['a', 'undo a'], ['boom']])
  })

  it('tries an undo again after a pause', async () => {
    let tries = 0
    const one = saga<null, null>('one/1').step('a', {
      run: fails('boom'),
      undo: () => {
        tries += 1
        if (tries < 3) throw new Error('not yet')
      },
    })
    runner.register(one, null)
    expect(await ended(runner.start(one, null, { key: 'k' }))).toMatchObject({ state: 'undone' })
    expect(tries).toBe(3)
  })
})

describe('another attempt', () => {
  const define = (lastGood: number, max: number) =>
    saga<null, null>('build/1')
      .step('quota', noting('quota'))
      .step(
        'host',
        noting('host', ({ attempt, earlier }) => ({ host: attempt, earlier })),
      )
      .step('guest', {
        ...noting('guest'),
        run: ({ attempt }) => {
          did.push(`guest ${attempt}`)
          if (attempt < lastGood) throw new RetryFrom('host', `host ${attempt} is broken`)
          return attempt
        },
      })
      .end({ maxAttempts: () => max })

  it('begins at the step asked for, knows what came before, and keeps the outputs of the steps above', async () => {
    const build = define(3, 5)
    runner.register(build, null)
    expect(await runner.start(build, null, { key: 'k' })).toMatchObject({ state: 'done' })
    expect(did.filter((word) => word === 'quota')).toHaveLength(1)
    expect(did).not.toContain('undo quota')
    expect(did.filter((word) => word === 'undo host')).toHaveLength(2)
    const hosts = ground.db
      .prepare<{ output: string }>(`SELECT output FROM minicloud_saga_log WHERE step = 'host' AND event = 'finished'`)
      .all()
      .map(({ output }) => JSON.parse(output) as { host: number; earlier: { host: number }[] })
    expect(hosts.map(({ host, earlier }) => [host, earlier.map((one) => one.host)])).toEqual([
      [1, []],
      [2, [1]],
      [3, [1, 2]],
    ])
  })

  it('is not made beyond the last one allowed', async () => {
    const build = define(9, 2)
    runner.register(build, null)
    expect(await runner.start(build, null, { key: 'k' })).toMatchObject({ state: 'undone', error: { message: 'host 2 is broken' } })
    expect(did.filter((word) => word.startsWith('guest'))).toEqual(['guest 1', 'guest 2'])
    expect(did).toContain('undo quota')
  })
})

describe('keys', () => {
  it('let one saga run after the other, and different ones side by side', async () => {
    const gates = { a: gate(), b: gate(), c: gate() }
    const one = saga<{ at: keyof typeof gates }, null>('one/1').step('a', {
      run: async ({ input }) => {
        did.push(input.at)
        await gates[input.at].wait()
      },
    })
    runner.register(one, null)
    const first = runner.start(one, { at: 'a' }, { key: 'k' })
    const second = runner.start(one, { at: 'b' }, { key: 'k' })
    const other = runner.start(one, { at: 'c' }, { key: 'l' })
    await Promise.all([gates.a.reached, gates.c.reached])
    expect(did.toSorted()).toEqual(['a', 'c'])
    expect([runner.busy('k'), runner.busy('none')]).toEqual([true, false])
    gates.a.open()
    await gates.b.reached
    gates.b.open()
    gates.c.open()
    await Promise.all([first, second, other])
    await runner.settled()
    expect(runner.busy('k')).toBe(false)
  })

  it('let a later saga supersede: the earlier one is told, undoes itself, and then the later one runs', async () => {
    const reached = gate()
    const build = saga<null, null>('build/1')
      .step('a', noting('a'))
      .step('b', {
        ...noting('b'),
        run: async ({ signal }) => {
          reached.wait()
          await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      })
    const remove = saga<null, null>('delete/1').step('d', noting('d'))
    runner.register(build, null)
    runner.register(remove, null)
    const first = runner.start(build, null, { key: 'k' })
    const waiting = runner.start(build, null, { key: 'k' })
    const elsewhere = runner.start(remove, null, { key: 'l' })
    await reached.reached
    const second = runner.start(remove, null, { key: 'k', supersedes: true })
    expect(await Promise.all([first, waiting, elsewhere, second])).toMatchObject([
      { state: 'undone', error: { message: 'superseded' } },
      { state: 'undone' },
      { state: 'done' },
      { state: 'done' },
    ])
    expect(did.slice(-1)).toEqual(['d'])
    expect(did.filter((word) => word === 'a')).toHaveLength(1)
  })
})

describe('idle', () => {
  it('waits for what runs and waits on its key, begun meanwhile too, and for no other', async () => {
    const gates = { a: gate(), b: gate(), c: gate() }
    const one = saga<{ at: keyof typeof gates }, null>('one/1').step('a', { run: async ({ input }) => await gates[input.at].wait() })
    runner.register(one, null)
    await runner.idle('k')
    void runner.start(one, { at: 'a' }, { key: 'k' })
    void runner.start(one, { at: 'c' }, { key: 'l' })
    let isIdle = false
    const idle = runner.idle('k').then(() => {
      isIdle = true
    })
    await gates.a.reached
    void runner.start(one, { at: 'b' }, { key: 'k' })
    gates.a.open()
    await gates.b.reached
    expect(isIdle).toBe(false)
    gates.b.open()
    await idle
    expect([runner.busy('k'), runner.busy('l')]).toEqual([false, true])
    gates.c.open()
    await runner.settled()
  })

  it('comes after a saga that supersedes, and when one fails', async () => {
    const hold = gate()
    const build = saga<null, null>('build/1').step('a', {
      run: async ({ signal }) => {
        void hold.wait()
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    })
    const remove = saga<null, null>('delete/1').step('d', noting('d', fails('no')))
    runner.register(build, null)
    runner.register(remove, null)
    void runner.start(build, null, { key: 'k' })
    await hold.reached
    const idle = runner.idle('k')
    void runner.start(remove, null, { key: 'k', supersedes: true })
    await idle
    expect([did, states()]).toEqual([
      ['d', 'undo d'],
      ['undone', 'undone'],
    ])
  })
})

describe('a saga that waits for its turn of the event loop', () => {
  /** Uses up this turn: whoever asks next waits. */
  const useUp = () => {
    void turn()
    const until = performance.now() + 10
    while (performance.now() < until);
  }
  const one = saga<string, null>('one/1').step('a', {
    run: ({ input }) => void did.push(input),
    undo: ({ input }) => void did.push(`undo ${input}`),
  })

  it('begins no step after a stop, and goes on at the next start', async () => {
    runner.register(one, null)
    useUp()
    const outcome = runner.start(one, 'a', { key: 'k' })
    await Promise.resolve()
    expect(did).toEqual([])
    await runner.stop()
    expect(await outcome).toMatchObject({ state: 'stopped' })
    expect([did, states()]).toEqual([[], ['running']])
    const next = newRunner()
    next.register(one, null)
    expect(next.resume()).toBe(1)
    await next.settled()
    expect([did, states()]).toEqual([['a'], ['done']])
  })

  it('begins no step when it is superseded meanwhile, and is ended before the one that supersedes it begins', async () => {
    runner.register(one, null)
    useUp()
    const first = runner.start(one, 'first', { key: 'k' })
    await Promise.resolve()
    const second = runner.start(one, 'second', { key: 'k', supersedes: true })
    expect(await Promise.all([first, second])).toMatchObject([{ state: 'undone', error: { message: 'superseded' } }, { state: 'done' }])
    expect(did).toEqual(['undo first', 'second'])
  })
})

describe('start', () => {
  it('in a transaction that rolls back starts nothing and leaves nothing', async () => {
    const one = saga<null, null>('one/1').step('a', noting('a'))
    runner.register(one, null)
    expect(() =>
      ground.db.transaction(() => {
        void runner.start(one, null, { key: 'k' })
        throw new Error('rolled back')
      }),
    ).toThrow('rolled back')
    await runner.settled()
    expect([did, states(), runner.busy('k')]).toEqual([[], [], false])
  })

  it('in a transaction begins after its commit', async () => {
    const one = saga<null, null>('one/1').step('a', noting('a'))
    runner.register(one, null)
    const outcome = ground.db.transaction(() => {
      const started = runner.start(one, null, { key: 'k' })
      expect([did, runner.busy('k')]).toEqual([[], false])
      return [started]
    })
    expect(await outcome[0]).toMatchObject({ state: 'done' })
  })

  it('refuses what is not registered, and registering what has no steps', () => {
    expect(() => runner.start({ name: 'none/1' }, null, { key: 'k' })).toThrow(/none\/1/)
    expect(() => runner.register(saga('empty/1'), null)).toThrow(/no steps/)
    expect(() => runner.register(saga('twice/1').step('a', noting('a')).step('a', noting('a')), null)).toThrow(/two of one name/)
  })
})

describe('after a stop', () => {
  const define = (hold: { wait(): Promise<void> }) =>
    saga<null, null>('two/1')
      .step('a', noting('a'))
      .step('b', {
        ...noting('b'),
        run: async ({ signal }) => {
          did.push('b')
          await hold.wait()
          signal.throwIfAborted()
        },
      })
      .step('c', noting('c'))

  it('a saga goes on at the next start where it stood, and is not undone', async () => {
    const hold = gate()
    runner.register(define(hold), null)
    const outcome = runner.start(define(hold), null, { key: 'k' })
    await hold.reached
    const stopped = runner.stop()
    hold.open()
    await stopped
    expect(await outcome).toMatchObject({ state: 'stopped' })
    expect([did, states()]).toEqual([['a', 'b'], ['running']])
    const next = newRunner()
    next.register(define({ wait: async () => undefined }), null)
    expect(next.resume()).toBe(1)
    await next.settled()
    expect([did, states()]).toEqual([['a', 'b', 'b', 'c'], ['done']])
  })

  it('what is waiting or started meanwhile begins at the next start', async () => {
    const hold = gate()
    runner.register(define(hold), null)
    const first = runner.start(define(hold), null, { key: 'k' })
    const waiting = runner.start(define(hold), null, { key: 'k' })
    await hold.reached
    const stopped = runner.stop()
    const late = runner.start(define(hold), null, { key: 'l' })
    hold.open()
    await stopped
    expect((await Promise.all([first, waiting, late])).map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
    const next = newRunner()
    next.register(define({ wait: async () => undefined }), null)
    expect(next.resume()).toBe(3)
    await next.settled()
    expect(states()).toEqual(['done', 'done', 'done'])
  })

  it('a saga that was turning back goes on doing so', async () => {
    const hold = gate()
    const told: string[] = []
    const define2 = (wait: () => Promise<void>) =>
      saga<null, null>('back/1')
        .step('a', noting('a'))
        .step('b', {
          run: fails('boom'),
          undo: async () => {
            did.push('undo b')
            await wait()
          },
        })
        .end({ undone: (_context, error) => void told.push(error.message) })
    runner.register(define2(hold.wait), null)
    const outcome = runner.start(define2(hold.wait), null, { key: 'k' })
    await hold.reached
    const stopped = runner.stop()
    hold.open()
    await stopped
    expect([(await outcome).state, states(), did]).toEqual(['stopped', ['undoing'], ['a', 'undo b']])
    const next = newRunner()
    next.register(
      define2(async () => undefined),
      null,
    )
    next.resume()
    await next.settled()
    expect([states(), did, told]).toEqual([['undone'], ['a', 'undo b', 'undo a'], ['boom']])
  })

  it('resume leaves alone what this process has in hand, and what nobody knows', async () => {
    const hold = gate()
    runner.register(define(hold), null)
    const outcome = runner.start(define(hold), null, { key: 'k' })
    await hold.reached
    expect(runner.resume()).toBe(0)
    expect(newRunner().resume()).toBe(0)
    hold.open()
    expect(await outcome).toMatchObject({ state: 'done' })
    await runner.settled()
    expect(did).toEqual(['a', 'b', 'c'])
  })

  it('the database’s own trouble leaves the saga for the next start', async () => {
    const one = saga<null, null>('one/1').step('a', {
      run: () => {
        ground.db.sqlite.pragma('query_only = ON')
      },
    })
    runner.register(one, null)
    expect(await runner.start(one, null, { key: 'k' })).toMatchObject({ state: 'stopped' })
    ground.db.sqlite.pragma('query_only = OFF')
    expect(states()).toEqual(['running'])
    expect(runner.busy('k')).toBe(false)
  })
})

describe('purging', () => {
  const good = saga<null, null>('good/1').step('a', { run: () => 1 })
  const bad = saga<null, null>('bad/1').step('a', { run: fails('no') })
  const jammed = saga<null, null>('jammed/1').step('a', { run: fails('no'), undo: fails('no') })
  beforeEach(() => {
    for (const definition of [good, bad, jammed]) runner.register(definition, null)
  })

  it('deletes what ended long enough ago, with its log, and neither the stuck nor the young', async () => {
    await runner.start(good, null, { key: 'k' })
    await runner.start(bad, null, { key: 'k' })
    await ended(runner.start(jammed, null, { key: 'k' }))
    await clock.advance('2 d')
    await runner.start(good, null, { key: 'k' })
    expect(runner.purge(86_400_000)).toBe(2)
    expect(states()).toEqual(['stuck', 'done'])
    expect(new Set(ground.db.prepare('SELECT DISTINCT saga_id FROM minicloud_saga_log').all()).size).toBe(2)
  })

  it('takes a bounded batch at a time and goes on until all is gone', async () => {
    for (let i = 0; i < 450; i += 1) await runner.start(good, null, { key: `${i}` })
    await clock.advance('8 d')
    runner.resume()
    await clock.advance(0)
    expect(states()).toHaveLength(250)
    await clock.advance('5 s')
    expect(states()).toHaveLength(0)
    await runner.stop()
  })

  it('keeps a week unless told otherwise', async () => {
    const short = new SagaRunner({ db: ground.db, clock, log: silentLog(), keepMs: 3_600_000 })
    await runner.start(good, null, { key: 'k' })
    runner.resume()
    await clock.advance('6 d')
    expect(states()).toHaveLength(1)
    short.resume()
    await clock.advance(0)
    expect(states()).toHaveLength(0)
    await Promise.all([runner.stop(), short.stop()])
    expect(sagaConfig.options.keepDays.default).toBe(7)
  })
})
