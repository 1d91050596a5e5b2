import { describe, expect, it } from 'vitest'
import {
  did,
  ended,
  fails,
  gate,
  ground,
  makeTable,
  mark,
  marks,
  newRunner,
  noting,
  rows,
  runner,
  states,
  useSagas,
} from '../../../test/support/saga-runner.ts'
import { turn } from '../turn.ts'
import { RetryFrom, saga } from './index.ts'

useSagas()

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
    runner.supersede('k')
    const second = runner.start(remove, null, { key: 'k' })
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
    runner.supersede('k')
    void runner.start(remove, null, { key: 'k' })
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
    runner.supersede('k')
    const second = runner.start(one, 'second', { key: 'k' })
    expect(await Promise.all([first, second])).toMatchObject([{ state: 'undone', error: { message: 'superseded' } }, { state: 'done' }])
    expect(did).toEqual(['undo first', 'second'])
  })
})
