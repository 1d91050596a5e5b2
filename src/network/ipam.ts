/**
 * Who has which address. The free addresses of a subnet's pools are kept as ranges: taking the lowest, taking a certain one and giving one back each cost a
 * few index steps, whatever the subnet's size. Ranges and allocations change in the caller's transaction.
 *
 * Addresses outside of the pools, the gateway's for one, can be taken by name; given back, they do not become part of a pool.
 */
import type { Database } from '../base/db/index.ts'
import { keyNumber, nextKey, previousKey } from './addresses.ts'

export type Range = { first_key: string; last_key: string }

/** Replaces the pools and computes what is free in them. Pools must not overlap. */
export function setPools(db: Database, subnetId: string, pools: readonly Range[]): void {
  db.prepare('DELETE FROM ipallocationpools WHERE subnet_id = ?').run(subnetId)
  db.prepare('DELETE FROM ipavailabilityranges WHERE subnet_id = ?').run(subnetId)
  const insert = db.prepare('INSERT INTO ipallocationpools (subnet_id, first_key, last_key) VALUES (?, ?, ?)')
  const taken = db.prepare<{ ip_key: string }>(
    'SELECT ip_key FROM ipallocations WHERE subnet_id = ? AND ip_key BETWEEN ? AND ? ORDER BY ip_key',
  )
  for (const { first_key, last_key } of pools) {
    insert.run(subnetId, first_key, last_key)
    let from = first_key
    for (const { ip_key } of taken.all(subnetId, first_key, last_key)) {
      if (ip_key > from) addRange(db, subnetId, from, previousKey(ip_key))
      from = ip_key === last_key ? '' : nextKey(ip_key)
    }
    if (from !== '') addRange(db, subnetId, from, last_key)
  }
}

/** Takes the lowest free address of the pools; null when none is left. */
export function takeLowest(db: Database, subnetId: string): string | null {
  const range = db
    .prepare<Range>('SELECT first_key, last_key FROM ipavailabilityranges WHERE subnet_id = ? ORDER BY first_key LIMIT 1')
    .get(subnetId)
  if (!range) return null
  take(db, subnetId, range, range.first_key)
  return range.first_key
}

/** Takes this address out of the pools, if it is in one; whether somebody has it is for `ipallocations`' key to say. */
export function takeKey(db: Database, subnetId: string, key: string): void {
  const range = db
    .prepare<Range>(
      'SELECT first_key, last_key FROM ipavailabilityranges WHERE subnet_id = ? AND first_key <= ? ORDER BY first_key DESC LIMIT 1',
    )
    .get(subnetId, key)
  if (range && key <= range.last_key) take(db, subnetId, range, key)
}

/** Makes an address free again; one that lies in no pool just goes. */
export function release(db: Database, subnetId: string, key: string): void {
  const pool = db
    .prepare<Range>(
      'SELECT first_key, last_key FROM ipallocationpools WHERE subnet_id = ? AND first_key <= ? ORDER BY first_key DESC LIMIT 1',
    )
    .get(subnetId, key)
  if (!pool || key > pool.last_key) return
  const below = db
    .prepare<Range>(
      'SELECT first_key, last_key FROM ipavailabilityranges WHERE subnet_id = ? AND first_key <= ? ORDER BY first_key DESC LIMIT 1',
    )
    .get(subnetId, key)
  if (below && key <= below.last_key) return
  const above = db
    .prepare<Range>('SELECT first_key, last_key FROM ipavailabilityranges WHERE subnet_id = ? AND first_key > ? ORDER BY first_key LIMIT 1')
    .get(subnetId, key)
  let first = key
  let last = key
  if (below && keyNumber(below.last_key) + 1n === keyNumber(key)) {
    dropRange(db, subnetId, below)
    first = below.first_key
  }
  if (above && keyNumber(key) + 1n === keyNumber(above.first_key)) {
    dropRange(db, subnetId, above)
    last = above.last_key
  }
  addRange(db, subnetId, first, last)
}

function take(db: Database, subnetId: string, range: Range, key: string): void {
  dropRange(db, subnetId, range)
  if (range.first_key < key) addRange(db, subnetId, range.first_key, previousKey(key))
  if (key < range.last_key) addRange(db, subnetId, nextKey(key), range.last_key)
}

function addRange(db: Database, subnetId: string, first: string, last: string): void {
  db.prepare('INSERT INTO ipavailabilityranges (subnet_id, first_key, last_key) VALUES (?, ?, ?)').run(subnetId, first, last)
}

function dropRange(db: Database, subnetId: string, range: Range): void {
  db.prepare('DELETE FROM ipavailabilityranges WHERE subnet_id = ? AND first_key = ?').run(subnetId, range.first_key)
}
