/** Sagas over several lives of a process: what is started, taken up after a stop, and purged. */
import { beforeEach, describe, expect, it } from 'vitest'
import { clock, did, ended, fails, gate, ground, newRunner, noting, runner, states, useSagas } from '../../../test/support/saga-runner.ts'
import { silentLog } from '../log.ts'
import { SagaRunner, saga, sagaConfig } from './index.ts'

useSagas()

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

describe('after a supersede', () => {
  const held = (hold: { wait(): Promise<void> }, more: { oneWay?: true } = {}) =>
    saga<null, null>('held/1')
      .step('a', {
        ...noting('a', async () => await hold.wait()),
        commit: ({ isSuperseded }) => void did.push(`committed, superseded: ${isSuperseded}`),
        ...more,
      })
      .end({ undone: ({ isSuperseded }) => void did.push(`undone, superseded: ${isSuperseded}`) })
  const open = { wait: async () => undefined }

  it.each([
    [{}, ['a', 'undo a', 'undone, superseded: true']],
    [{ oneWay: true }, ['a', 'committed, superseded: true']],
  ] as const)('a step that did not listen turns back, unless what it did has no way back: %j', async (more, expected) => {
    const hold = gate()
    runner.register(held(hold, more), null)
    const outcome = runner.start(held(hold, more), null, { key: 'k' })
    await hold.reached
    runner.supersede('k')
    hold.open()
    await outcome
    expect(did).toEqual(expected)
  })

  it('what has not begun does not begin, be its way back as it may', async () => {
    const hold = gate()
    runner.register(held(hold), null)
    runner.register(saga<null, null>('late/1').step('b', { ...noting('b'), undo: undefined, oneWay: true }), null)
    void runner.start(held(hold), null, { key: 'k' })
    const late = runner.start({ name: 'late/1' }, null, { key: 'k' })
    await hold.reached
    runner.supersede('k')
    hold.open()
    expect(await late).toMatchObject({ state: 'undone' })
    expect(did).not.toContain('b')
  })

  it('in a transaction that rolls back all goes on', async () => {
    const hold = gate()
    runner.register(held(hold), null)
    const outcome = runner.start(held(hold), null, { key: 'k' })
    await hold.reached
    expect(() =>
      ground.db.transaction(() => {
        runner.supersede('k')
        throw new Error('rolled back')
      }),
    ).toThrow('rolled back')
    hold.open()
    expect(await outcome).toMatchObject({ state: 'done' })
    expect(did).toEqual(['a', 'committed, superseded: false'])
  })

  it.each([
    [{}, ['a', 'undo a', 'undone, superseded: true']],
    [{ oneWay: true }, ['a', 'a', 'committed, superseded: true']],
  ] as const)('the next start remembers it; what may have been done for good is done to its end: %j', async (more, expected) => {
    const hold = gate()
    runner.register(held(hold, more), null)
    void runner.start(held(hold, more), null, { key: 'k' })
    await hold.reached
    const stopped = runner.stop(100)
    runner.supersede('k')
    await clock.advance(100)
    await stopped
    const next = newRunner()
    next.register(held(open, more), null)
    expect(next.resume()).toBe(1)
    await next.settled()
    expect(did).toEqual(expected)
  })

  it('what is stuck stays so: it may not touch what is another’s by now', async () => {
    const bad = saga<null, null>('bad/1').step('a', { run: fails('no'), undo: fails('no way back') })
    runner.register(bad, null)
    expect(await ended(runner.start(bad, null, { key: 'k' }))).toMatchObject({ state: 'stuck' })
    runner.supersede('k')
    const next = newRunner()
    next.register(bad, null)
    expect(next.resume()).toBe(0)
    expect(states()).toEqual(['stuck'])
    await next.stop()
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
