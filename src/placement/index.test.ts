import { randomUUID } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { testGround } from '../../test/support/ground.ts'
import { type CandidateRequest, concurrentUpdate, makePlacement, type ProviderInventory } from './index.ts'

const stock = (total: number, more: Partial<ProviderInventory> = {}): ProviderInventory => ({
  total,
  reserved: 0,
  minUnit: 1,
  maxUnit: total,
  stepSize: 1,
  allocationRatio: 1,
  ...more,
})
const wants = (resources: Record<string, number>, more: Partial<CandidateRequest> = {}): CandidateRequest => ({
  resources,
  required: [],
  forbidden: [],
  memberOf: [],
  limit: 100,
  ...more,
})
const consumer = (uuid: string = randomUUID()) => ({ uuid, projectId: 'p', userId: 'u', type: 'INSTANCE' })

function start() {
  const ground = testGround()
  onTestFinished(() => ground[Symbol.dispose]())
  const placement = makePlacement(ground)
  const host = (
    name: string,
    inventories: Record<string, ProviderInventory> = { VCPU: stock(8), MEMORY_MB: stock(4096, { reserved: 512 }) },
  ) => {
    const uuid = randomUUID()
    placement.ensureProvider({ uuid, name })
    placement.setInventory(uuid, inventories)
    return uuid
  }
  const only = (request: CandidateRequest) => placement.candidates(request).map(({ name }) => name)
  return { ground, placement, host, only }
}
const codeOf = (call: () => void) => {
  try {
    call()
  } catch (error) {
    return (error as { code?: string; kind?: string }).code ?? (error as { kind?: string }).kind
  }
  return 'no error'
}

describe('a claim', () => {
  it('takes room and gives it back', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const who = consumer()
    placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 2, MEMORY_MB: 1024 } }])
    expect(placement.usage(uuid)).toEqual({
      VCPU: { total: 8, reserved: 0, allocationRatio: 1, used: 2 },
      MEMORY_MB: { total: 4096, reserved: 512, allocationRatio: 1, used: 1024 },
    })
    expect(placement.allocationsOf(who.uuid)).toEqual([{ providerUuid: uuid, resources: { VCPU: 2, MEMORY_MB: 1024 } }])
    expect(placement.consumersOn(uuid)).toEqual([{ consumerUuid: who.uuid, resources: { VCPU: 2, MEMORY_MB: 1024 } }])
    placement.release(who.uuid)
    placement.release(who.uuid)
    expect(placement.usage(uuid).VCPU?.used).toBe(0)
    expect(placement.allocationsOf(who.uuid)).toEqual([])
  })

  it('is refused, whole, when one class has no room, and says why', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const who = consumer()
    expect(() => placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 2, MEMORY_MB: 3585 } }])).toThrow(
      'MEMORY_MB: wanted 3585, free 3584 of 3584',
    )
    expect(placement.usage(uuid).VCPU?.used).toBe(0)
    expect(placement.allocationsOf(who.uuid)).toEqual([])
  })

  it('of the generation before another claim is refused as too late; the same claim again is not', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const [seen] = placement.candidates(wants({ VCPU: 1 }))
    const claim = [{ providerUuid: uuid, generation: seen!.generation, resources: { VCPU: 1 } }]
    const first = consumer()
    placement.claim(first, claim)
    expect(codeOf(() => placement.claim(consumer(), claim))).toBe(concurrentUpdate)
    const [before] = placement.candidates(wants({ VCPU: 1 }))
    placement.claim(first, claim)
    expect(placement.candidates(wants({ VCPU: 1 }))[0]!.generation).toBe(before!.generation)
  })

  it('replaces what the consumer held, also on another provider', () => {
    const { placement, host } = start()
    const [one, two] = [host('node-1'), host('node-2')]
    const who = consumer()
    placement.claim(who, [{ providerUuid: one, resources: { VCPU: 8 } }])
    placement.claim(who, [{ providerUuid: one, resources: { VCPU: 7 } }])
    expect(placement.usage(one).VCPU?.used).toBe(7)
    placement.claim(who, [{ providerUuid: two, resources: { VCPU: 3 } }])
    expect([placement.usage(one).VCPU?.used, placement.usage(two).VCPU?.used]).toEqual([0, 3])
    placement.claim(who, [])
    expect([placement.usage(two).VCPU?.used, placement.consumersOn(two)]).toEqual([0, []])
  })

  it('may shrink on a provider that is fuller than it may be, not grow', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const who = consumer()
    placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 6 } }])
    placement.setInventory(uuid, { VCPU: stock(2, { maxUnit: 8 }) })
    placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 5 } }])
    expect(() => placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 6 } }])).toThrow('wanted 6, free 2 of 2')
  })

  it('heeds units, ratio and whole amounts', () => {
    const { placement, host } = start()
    const uuid = host('node-1', { VCPU: stock(4, { allocationRatio: 1.5, maxUnit: 4, minUnit: 2, stepSize: 2 }) })
    const claim = (VCPU: number) => codeOf(() => placement.claim(consumer(), [{ providerUuid: uuid, resources: { VCPU } }]))
    expect([claim(1), claim(3), claim(6), claim(-1), claim(1.5)]).toEqual(['conflict', 'conflict', 'conflict', 'invalid', 'invalid'])
    expect([claim(4), claim(2), claim(2)]).toEqual(['no error', 'no error', 'conflict'])
  })

  it('of none of a class asks nothing of it', () => {
    const { placement, host, only } = start()
    const uuid = host('node-1')
    const who = consumer()
    expect(only(wants({ VCPU: 1, DISK_GB: 0 }))).toEqual(['node-1'])
    placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 1, DISK_GB: 0 } }])
    expect(placement.allocationsOf(who.uuid)).toEqual([{ providerUuid: uuid, resources: { VCPU: 1 } }])
  })

  it('goes with the transaction around it', () => {
    const { ground, placement, host } = start()
    const uuid = host('node-1')
    const who = consumer()
    expect(() =>
      ground.db.transaction(() => {
        placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 2 } }])
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(placement.usage(uuid).VCPU?.used).toBe(0)
    expect(placement.allocationsOf(who.uuid)).toEqual([])
  })

  it('takes eight statements and scans no table, and so does giving back', () => {
    const { ground, placement, host } = start()
    const uuid = host('node-1')
    const claim = (who = consumer()) => placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 1, MEMORY_MB: 64 } }])
    claim()
    const prepare = vi.spyOn(ground.db, 'prepare')
    const who = consumer()
    claim(who)
    const claimed = prepare.mock.calls.map(([sql]) => sql)
    placement.release(who.uuid)
    const all = prepare.mock.calls.map(([sql]) => sql)
    prepare.mockRestore()
    const isWork = (sql: string) => !/^(BEGIN|COMMIT)/.test(sql)
    expect(claimed.filter(isWork)).toHaveLength(8)
    expect(all.slice(claimed.length).filter(isWork)).toHaveLength(3)
    const scans = all.filter(isWork).flatMap((sql) => {
      const nothing = Array(sql.split('?').length - 1).fill(null)
      const plan = ground.db.prepare<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...nothing)
      return plan.map(({ detail }) => detail).filter((detail) => /^SCAN (?!CONSTANT|delta VIRTUAL|\d+-ROW VALUES)/.test(detail))
    })
    expect(scans).toEqual([])
  })

  it('of an unknown provider or class is invalid', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    expect(codeOf(() => placement.claim(consumer(), [{ providerUuid: randomUUID(), resources: { VCPU: 1 } }]))).toBe('invalid')
    expect(codeOf(() => placement.claim(consumer(), [{ providerUuid: uuid, resources: { CUSTOM_X: 1 } }]))).toBe('invalid')
    expect(codeOf(() => placement.claim(consumer(), [{ providerUuid: uuid, resources: { DISK_GB: 1 } }]))).toBe('conflict')
  })
})

describe('inventory, traits and aggregates', () => {
  it('move the generation on when they change and only then', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const generation = () => placement.candidates(wants({ VCPU: 1 }))[0]!.generation
    const steps: number[] = []
    const change = (call: () => void) => {
      const before = generation()
      call()
      steps.push(generation() - before)
    }
    for (let twice = 0; twice < 2; twice++) {
      change(() => placement.setInventory(uuid, { VCPU: stock(16) }))
      change(() => placement.setTraits(uuid, ['COMPUTE_NODE', 'CUSTOM_FAST']))
      change(() => placement.setAggregates(uuid, ['a1111111-1111-4111-8111-111111111111']))
      change(() => placement.ensureProvider({ uuid, name: 'renamed' }))
    }
    expect(steps).toEqual([1, 1, 1, 1, 0, 0, 0, 0])
    expect(codeOf(() => placement.setTraits(uuid, ['HW_NO_SUCH']))).toBe('invalid')
    expect(codeOf(() => placement.setInventory(uuid, { VCPU: stock(2, { reserved: 3 }) }))).toBe('invalid')
    expect(placement.candidates(wants({}))[0]!.traits).toEqual(['COMPUTE_NODE', 'CUSTOM_FAST'])
  })

  it('keep an inventory and a provider that are in use', () => {
    const { placement, host } = start()
    const uuid = host('node-1')
    const who = consumer()
    placement.claim(who, [{ providerUuid: uuid, resources: { VCPU: 1 } }])
    expect(codeOf(() => placement.setInventory(uuid, { MEMORY_MB: stock(10) }))).toBe('placement.inventory.inuse')
    expect(placement.usage(uuid).MEMORY_MB?.total).toBe(4096)
    expect(codeOf(() => placement.removeProvider(uuid))).toBe('placement.resource_provider.inuse')
    placement.release(who.uuid)
    placement.removeProvider(uuid)
    placement.removeProvider(uuid)
    expect(placement.candidates(wants({}))).toEqual([])
  })
})

describe('candidates', () => {
  it('are those with room, traits, aggregate and tree', () => {
    const { placement, host, only } = start()
    const [one, two, three] = [host('node-1'), host('node-2'), host('node-3', { VCPU: stock(2) })]
    const [blue, red] = [randomUUID(), randomUUID()]
    placement.setTraits(one, ['CUSTOM_A', 'STORAGE_DISK_SSD'])
    placement.setTraits(two, ['CUSTOM_A'])
    placement.setAggregates(one, [blue])
    placement.setAggregates(two, [blue, red])
    placement.claim(consumer(), [{ providerUuid: one, resources: { VCPU: 6 } }])
    expect(only(wants({ VCPU: 2 }))).toEqual(['node-1', 'node-2', 'node-3'])
    expect(only(wants({ VCPU: 3 }))).toEqual(['node-2'])
    expect(only(wants({ VCPU: 1, MEMORY_MB: 1 }))).toEqual(['node-1', 'node-2'])
    expect(only(wants({ VCPU: 1 }, { required: ['CUSTOM_A'], forbidden: ['STORAGE_DISK_SSD'] }))).toEqual(['node-2'])
    expect(only(wants({ VCPU: 1 }, { memberOf: [[blue]] }))).toEqual(['node-1', 'node-2'])
    expect(only(wants({ VCPU: 1 }, { memberOf: [[blue], [red, randomUUID()]] }))).toEqual(['node-2'])
    expect(only(wants({ VCPU: 1 }, { inTree: three }))).toEqual(['node-3'])
    expect(only(wants({ VCPU: 1 }, { limit: 2 }))).toEqual(['node-1', 'node-2'])
    expect(placement.candidates(wants({ VCPU: 1 }))[0]).toMatchObject({
      providerUuid: one,
      resources: { VCPU: { capacity: 8, used: 6 }, MEMORY_MB: { capacity: 3584, used: 0 } },
      traits: ['CUSTOM_A', 'STORAGE_DISK_SSD'],
    })
  })

  it('are explained when there are none', () => {
    const { placement, host } = start()
    const one = host('node-1')
    host('node-2', { MEMORY_MB: stock(4096) })
    placement.setTraits(one, ['CUSTOM_A'])
    placement.claim(consumer(), [{ providerUuid: one, resources: { VCPU: 6 } }])
    const request = wants({ VCPU: 4 }, { required: ['STORAGE_DISK_SSD'], forbidden: ['CUSTOM_A'] })
    expect(placement.candidates(request)).toEqual([])
    expect(placement.explain(request)).toEqual([
      'node-1: VCPU: wanted 4, free 2 of 8; lacks STORAGE_DISK_SSD; has CUSTOM_A',
      'node-2: VCPU: wanted 4, has none; lacks STORAGE_DISK_SSD',
    ])
    expect(placement.explain(wants({ MEMORY_MB: 1 }))).toEqual([])
    expect(placement.explain(wants({ MEMORY_MB: 1 }, { memberOf: [[randomUUID()]], limit: 1 }))).toEqual([
      'node-1: is not in the wanted aggregates',
    ])
  })
})
