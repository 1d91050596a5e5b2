/** Whatever is claimed, released and re-stocked in whatever order: sums are right, capacity holds, generations only grow. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { testGround } from '../../test/support/ground.ts'
import { CloudError } from '../base/errors.ts'
import { makePlacement } from './index.ts'

const uuid = (kind: string, i: number) => `${kind.padEnd(8, '0')}-0000-4000-8000-${String(i).padStart(12, '0')}`
const provider = fc.nat(2).map((i) => uuid('a', i))
const consumer = fc.nat(4).map((i) => uuid('c', i))
const amounts = fc.record({ VCPU: fc.integer({ min: 1, max: 5 }), DISK_GB: fc.integer({ min: 1, max: 9 }) }, { requiredKeys: [] })
const stock = fc.record({
  total: fc.integer({ min: 1, max: 12 }),
  reserved: fc.constantFrom(0, 1),
  minUnit: fc.constantFrom(1, 2),
  maxUnit: fc.constantFrom(3, 10),
  stepSize: fc.constantFrom(1, 2),
  allocationRatio: fc.constantFrom(1, 1.5, 0.1),
})
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('claim' as const), consumer, from: fc.array(fc.tuple(provider, amounts), { maxLength: 2 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), consumer }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('stock' as const),
      provider,
      inventories: fc.record({ VCPU: stock, DISK_GB: stock }, { requiredKeys: [] }),
    }),
  },
)

type Total = { provider: number; class: number; used: number }

it('keeps its books', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      using ground = testGround()
      const placement = makePlacement(ground)
      for (let i = 0; i < 3; i++) {
        placement.ensureProvider({ uuid: uuid('a', i), name: `node-${i}` })
        const plenty = { total: 10, reserved: 0, minUnit: 1, maxUnit: 10, stepSize: 1, allocationRatio: 1 }
        placement.setInventory(uuid('a', i), { VCPU: plenty, DISK_GB: plenty })
      }
      const totals = (table: string) =>
        ground.db
          .prepare<Total>(
            `SELECT resource_provider_id AS provider, resource_class_id AS class, sum(used) AS used FROM ${table}
             GROUP BY 1, 2 HAVING sum(used) <> 0 ORDER BY 1, 2`,
          )
          .all()
      const generations = () => ground.db.prepare<{ generation: number }>('SELECT generation FROM resource_providers ORDER BY id').all()
      for (const next of steps) {
        const before = { used: totals('inventories'), generations: generations() }
        let refused = false
        try {
          if (next.do === 'release') placement.release(next.consumer)
          else if (next.do === 'stock') placement.setInventory(next.provider, next.inventories as never)
          else {
            const merged = new Map(next.from.filter(([, resources]) => Object.keys(resources).length > 0))
            const who = { uuid: next.consumer, projectId: 'p', userId: 'u', type: 'INSTANCE' }
            const holdings = [...merged].map(([providerUuid, resources]) => ({
              providerUuid,
              resources: resources as Record<string, number>,
            }))
            placement.claim(who, holdings)
            expect(placement.allocationsOf(next.consumer)).toEqual(holdings)
          }
        } catch (error) {
          if (!(error instanceof CloudError)) throw error
          expect(['conflict', 'invalid']).toContain(error.kind)
          refused = true
        }
        const after = { used: totals('inventories'), generations: generations() }
        expect(totals('allocations')).toEqual(after.used)
        if (refused) expect(after).toEqual(before)
        for (const [i, { generation }] of after.generations.entries())
          expect(generation).toBeGreaterThanOrEqual(before.generations[i]!.generation)
        if (next.do === 'claim' && !refused) {
          const over = ground.db
            .prepare<Total>(
              `SELECT resource_provider_id AS provider, resource_class_id AS class, used FROM inventories
               WHERE used > (total - reserved) * allocation_ratio`,
            )
            .all()
          for (const row of over) {
            const was = before.used.find((other) => other.provider === row.provider && other.class === row.class)
            expect(row.used).toBeLessThanOrEqual(was?.used ?? 0)
          }
        }
        const orphans = 'SELECT count(*) AS n FROM consumers WHERE uuid NOT IN (SELECT consumer_id FROM allocations)'
        expect(ground.db.prepare<{ n: number }>(orphans).get()?.n).toBe(0)
      }
    }),
    { numRuns: 60 },
  )
})
