/**
 * What the nouns of this room share: database, clock, and a generation that counts writes.
 *
 * Whatever is computed from the tables (a token's principal, a user's roles, the catalog) is kept with the generation in
 * which it was computed and is good as long as that is the current one. Every write of this room goes through `write`, and
 * nobody else writes these tables, so a disabled user or a removed role counts from the next request on.
 */
import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import type { Database } from '../base/db/index.ts'
import { conflict } from '../base/errors.ts'

export class IdentityState {
  readonly db: Database
  readonly clock: Clock
  #generation = 0

  constructor(db: Database, clock: Clock) {
    this.db = db
    this.clock = clock
  }

  get generation(): number {
    return this.#generation
  }

  /**
   * Runs `work` in one transaction and makes all that is remembered stale.
   * @throws {CloudError} `conflict` with `onDuplicate` when a unique key is hurt; else whatever `work` throws.
   */
  write<T>(work: () => T, onDuplicate?: string): T {
    try {
      return this.db.transaction(work)
    } catch (error) {
      if (onDuplicate !== undefined && isDuplicate(error)) throw conflict(onDuplicate)
      throw error
    } finally {
      this.#generation++
    }
  }

  /** A value computed at most once a generation. */
  remember<T>(compute: () => T): () => T {
    let at = -1
    let value: T
    return () => {
      if (at !== this.#generation) {
        value = compute()
        at = this.#generation
      }
      return value
    }
  }

  /** Values by key, at most `max` of them, each computed at most once a generation. */
  rememberBy<V extends object>(max: number): (key: string, compute: () => V) => V {
    const kept = new LRUCache<string, { at: number; value: V }>({ max })
    return (key, compute) => {
      const found = kept.get(key)
      if (found && found.at === this.#generation) return found.value
      const value = compute()
      kept.set(key, { at: this.#generation, value })
      return value
    }
  }
}

const isDuplicate = (error: unknown): boolean => {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY'
}

/** Keystone's ids: a uuid without hyphens. */
export const newId = (): string => randomUUID().replaceAll('-', '')

/** Attributes that no column has, as stored in `extra`. */
export type Extra = Record<string, unknown>
export const readExtra = (text: string | null): Extra => (text === null || text === '' ? {} : (JSON.parse(text) as Extra))
export const writeExtra = (extra: Extra): string => JSON.stringify(extra)
