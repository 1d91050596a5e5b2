/** What is kept of instances is what the database says, whoever wrote it, and however. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { startMetadata } from '../../../test/support/metadata.ts'
import { Instances } from './index.ts'

function world() {
  const { ground, boot } = startMetadata()
  const uuids = [boot().uuid, boot().uuid, boot().uuid]
  const { db } = ground
  return { ground, db, uuids, instances: new Instances(ground), anew: () => new Instances(ground) }
}

it('gives the same object until something of it is written', () => {
  const { db, uuids, instances } = world()
  const [uuid = '', other = ''] = uuids
  const first = instances.get(uuid)
  expect(instances.get(uuid)).toBe(first)
  expect(instances.list('WHERE i.uuid = @uuid', { uuid })[0]).toBe(first)
  instances.setTags(other, ['x'])
  expect(instances.get(uuid)).toBe(first)
  db.prepare('INSERT INTO tags (resource_id, tag) VALUES (?, ?)').run(uuid, 'late')
  expect(instances.get(uuid)).not.toBe(first)
  expect(instances.get(uuid).tags).toEqual(['late'])
})

it('does not keep what a transaction takes back', () => {
  const { db, uuids, instances } = world()
  const [uuid = ''] = uuids
  const { name } = instances.get(uuid)
  const attempt = () =>
    db.transaction(() => {
      instances.update(uuid, { display_name: 'never was' })
      expect(instances.get(uuid).name).toBe('never was')
      throw new Error('taken back')
    })
  expect(attempt).toThrow('taken back')
  expect(instances.get(uuid).name).toBe(name)
})

it('keeps the order of a list, and leaves out nobody', () => {
  const { uuids, instances } = world()
  instances.get(uuids[1] ?? '')
  const newest = instances.list('WHERE i.deleted = 0 ORDER BY i.id DESC', {})
  expect(newest.map(({ uuid }) => uuid)).toEqual([...uuids].reverse())
})

const text = fc.string({ minLength: 1, maxLength: 8 })
/** Writes of one server, each by a way of its own. */
const write = fc.oneof(
  text.map((value) => ({ sql: 'UPDATE instances SET display_name = ? WHERE uuid = ?', value })),
  fc.constantFrom('active', 'error').map((value) => ({ sql: 'UPDATE instances SET vm_state = ? WHERE uuid = ?', value })),
  text.map((value) => ({ sql: "INSERT INTO instance_metadata (deleted, key, value, instance_uuid) VALUES (0, 'k', ?, ?)", value })),
  text.map((value) => ({ sql: 'DELETE FROM instance_metadata WHERE ? IS NOT NULL AND instance_uuid = ?', value })),
  text.map((value) => ({
    sql: "INSERT INTO instance_system_metadata (deleted, key, value, instance_uuid) VALUES (0, 'image_os', ?, ?)",
    value,
  })),
  text.map((value) => ({ sql: 'INSERT OR REPLACE INTO tags (tag, resource_id) VALUES (?, ?)', value })),
  text.map((value) => ({ sql: 'INSERT INTO instance_faults (deleted, code, message, instance_uuid) VALUES (0, 500, ?, ?)', value })),
  text.map((value) => ({
    sql: 'UPDATE request_specs SET spec = ? WHERE instance_uuid = ?',
    value: JSON.stringify({ schedulerHints: { a: value }, pinnedZone: null, requestedHost: null, requestedNode: null }),
  })),
  text.map((value) => ({ sql: 'UPDATE instance_extra SET trusted_certs = ? WHERE instance_uuid = ?', value: JSON.stringify([value]) })),
  fc.constant({ sql: 'UPDATE instance_info_caches SET network_info = ? WHERE instance_uuid = ?', value: '[]' }),
)

it('says what a reader without a memory says, after any writes', () => {
  const { db, uuids, instances, anew } = world()
  fc.assert(
    fc.property(
      fc.array(fc.record({ write, at: fc.nat(2), takenBack: fc.boolean(), readsBetween: fc.boolean() }), { minLength: 1, maxLength: 12 }),
      (steps) => {
        for (const { write, at, takenBack, readsBetween } of steps) {
          const uuid = uuids[at] ?? ''
          try {
            db.transaction(() => {
              db.prepare(write.sql).run(write.value, uuid)
              if (readsBetween) instances.list('WHERE i.deleted = 0 ORDER BY i.id', {})
              if (takenBack) throw new Error('taken back')
            })
          } catch (error) {
            expect(error).toMatchObject({ message: 'taken back' })
          }
          expect(uuids.map((one) => instances.get(one))).toEqual(anew().list('WHERE i.deleted = 0 ORDER BY i.id', {}))
        }
      },
    ),
    { numRuns: 40 },
  )
})
