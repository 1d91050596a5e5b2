import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { CloudError } from '../errors.ts'
import { makeLog } from '../log.ts'
import { InProcessQueue } from './index.ts'

let logged: string[]
let queue: InProcessQueue
beforeEach(() => {
  logged = []
  queue = new InProcessQueue({ log: makeLog({ stream: { write: (line: string) => void logged.push(line) } }), limit: 3 })
})

/** Messages wait here until they are let go, by name. */
function held() {
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const gate = (name: string) => {
    const found = gates.get(name) ?? Promise.withResolvers<void>()
    gates.set(name, found)
    return found
  }
  return { wait: (name: string) => gate(name).promise, open: (name: string) => gate(name).resolve() }
}
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('lanes', () => {
  it('keep their order, and run side by side', async () => {
    const gates = held()
    const log: string[] = []
    queue.serve('t', async ({ method }) => {
      log.push(`begin ${method}`)
      await gates.wait(method)
      log.push(`end ${method}`)
    })
    queue.cast('t', { method: 'a1', args: null, lane: 'a' })
    queue.cast('t', { method: 'a2', args: null, lane: 'a' })
    queue.cast('t', { method: 'b1', args: null, lane: 'b' })
    await breathe()
    expect(log).toEqual(['begin a1', 'begin b1'])
    gates.open('a2')
    gates.open('b1')
    await breathe()
    expect(log).toEqual(['begin a1', 'begin b1', 'end b1'])
    gates.open('a1')
    await queue.settled()
    expect(log.slice(3)).toEqual(['end a1', 'begin a2', 'end a2'])
  })

  it('go on after a message that failed', async () => {
    const log: string[] = []
    queue.serve('t', async ({ method }) => {
      log.push(method)
      if (method === 'bad') throw new Error('boom')
    })
    queue.cast('t', { method: 'bad', args: null, lane: 'a' })
    queue.cast('t', { method: 'good', args: null, lane: 'a' })
    await queue.settled()
    expect(log).toEqual(['bad', 'good'])
    expect(logged).toHaveLength(1)
    expect(logged[0]).toMatch(/boom/)
  })

  it('keep their order whatever takes how long', async () => {
    const messages = fc.array(fc.record({ lane: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(3) }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(messages, async (list) => {
        const wide = new InProcessQueue({ log: makeLog({ level: 'silent' }) })
        const seen: Record<string, number[]> = { a: [], b: [], c: [] }
        wide.serve('t', async ({ args, lane }) => {
          const { i, turns } = args as { i: number; turns: number }
          for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
          seen[lane ?? '']?.push(i)
        })
        for (const [i, { lane, turns }] of list.entries()) wide.cast('t', { method: 'm', args: { i, turns }, lane })
        await wide.settled()
        for (const order of Object.values(seen)) expect(order).toEqual(order.toSorted((x, y) => x - y))
        expect(Object.values(seen).flat()).toHaveLength(list.length)
      }),
      { numRuns: 50 },
    )
  })
})

describe('messages', () => {
  it('of a call bring back what the handler gives or throws', async () => {
    queue.serve('t', ({ method, args }) => {
      if (method === 'bad') throw new CloudError('conflict', 'busy')
      return [method, args]
    })
    expect(await queue.call('t', { method: 'm', args: 1 })).toEqual(['m', 1])
    await expect(queue.call('t', { method: 'bad', args: 1 })).rejects.toMatchObject({ kind: 'conflict' })
    expect(logged).toEqual([])
  })

  it('that nobody serves are unavailable, to cast at once and to call as a rejection', async () => {
    expect(() => queue.cast('nowhere', { method: 'm', args: null })).toThrow(/Nobody serves nowhere/)
    await expect(queue.call('nowhere', { method: 'm', args: null })).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('beyond the limit are refused until some are done', async () => {
    const gates = held()
    queue.serve('t', ({ method }) => gates.wait(method))
    for (const method of ['1', '2', '3']) queue.cast('t', { method, args: null, lane: 'a' })
    expect(() => queue.cast('t', { method: '4', args: null })).toThrow(/3 messages waiting/)
    await expect(queue.call('t', { method: '4', args: null })).rejects.toMatchObject({ kind: 'unavailable' })
    gates.open('1')
    await breathe()
    queue.cast('t', { method: '2', args: null })
    for (const method of ['2', '3']) gates.open(method)
    await queue.settled()
  })

  it('run after the caller has gone on, never within its call', async () => {
    const log: string[] = []
    queue.serve('t', () => void log.push('handled'))
    queue.cast('t', { method: 'm', args: null })
    log.push('cast')
    await queue.settled()
    expect(log).toEqual(['cast', 'handled'])
  })
})

describe('topics', () => {
  it('have one server, whose end leaves a later one alone', async () => {
    const end = queue.serve('t', () => 1)
    expect(() => queue.serve('t', () => 2)).toThrow(/served already/)
    end()
    queue.serve('t', () => 3)
    end()
    expect(await queue.call('t', { method: 'm', args: null })).toBe(3)
  })
})

describe('events', () => {
  it('reach every listener whose prefix is a whole part of the type', () => {
    const heard: string[] = []
    queue.subscribe('instance', ({ type }) => heard.push(`all ${type}`))
    queue.subscribe('instance.create', ({ type }) => heard.push(`create ${type}`))
    const end = queue.subscribe('port', ({ type }) => heard.push(type))
    queue.publish({ type: 'instance.create.end', payload: null })
    queue.publish({ type: 'instances', payload: null })
    queue.publish({ type: 'port', payload: null })
    end()
    queue.publish({ type: 'port', payload: null })
    expect(heard).toEqual(['all instance.create.end', 'create instance.create.end', 'port'])
  })

  it('are stopped by no listener that throws', () => {
    const heard: unknown[] = []
    queue.subscribe('e', () => {
      throw new Error('deaf')
    })
    queue.subscribe('e', ({ payload }) => heard.push(payload))
    queue.publish({ type: 'e', payload: 1 })
    expect(heard).toEqual([1])
    expect(logged[0]).toMatch(/deaf/)
  })
})

describe('settled', () => {
  it('waits for what a message has sent on', async () => {
    const log: string[] = []
    queue.serve('t', async ({ method }) => {
      await breathe()
      if (method === 'first') queue.cast('t', { method: 'second', args: null })
      log.push(method)
    })
    queue.cast('t', { method: 'first', args: null })
    await queue.settled()
    expect(log).toEqual(['first', 'second'])
  })
})
