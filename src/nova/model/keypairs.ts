/**
 * Key pairs belong to a user, not to a project. The private half of a generated pair is answered once and never stored.
 *
 * @see https://docs.openstack.org/api-ref/compute/#keypairs-keypairs
 */
import { conflict, notFound, overQuota } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'

export type Keypair = {
  readonly id: number
  readonly userId: string
  readonly name: string
  readonly type: 'ssh' | 'x509'
  readonly publicKey: string
  readonly fingerprint: string
  readonly createdAt: string
}

const columns = 'id, user_id AS userId, name, type, public_key AS publicKey, fingerprint, created_at AS createdAt'

export class Keypairs {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  find(userId: string, name: string): Keypair | null {
    return this.#db.prepare<Keypair>(`SELECT ${columns} FROM key_pairs WHERE user_id = ? AND name = ?`).get(userId, name) ?? null
  }

  /** @throws {CloudError} `not-found`. */
  get(userId: string, name: string): Keypair {
    const found = this.find(userId, name)
    if (!found) throw notFound(`Keypair ${name} not found for user ${userId}`)
    return found
  }

  /** By name, those after `marker`. */
  list(userId: string, { limit = -1, marker = '' }: { limit?: number; marker?: string } = {}): Keypair[] {
    return this.#db
      .prepare<Keypair>(`SELECT ${columns} FROM key_pairs WHERE user_id = ? AND name > ? ORDER BY name LIMIT ?`)
      .all(userId, marker, limit)
  }

  /** @throws {CloudError} `conflict` when the user has one of this name, `over-quota` beyond `limit` pairs. */
  create(keypair: Omit<Keypair, 'id' | 'createdAt'>, limit: number): Keypair {
    return this.#db.transaction(() => {
      if (this.find(keypair.userId, keypair.name)) throw conflict(`Key pair '${keypair.name}' already exists.`)
      this.requireRoom(keypair.userId, limit)
      this.#db
        .prepare('INSERT INTO key_pairs (created_at, user_id, name, type, public_key, fingerprint) VALUES (?, ?, ?, ?, ?, ?)')
        .run(this.#clock.text(), keypair.userId, keypair.name, keypair.type, keypair.publicKey, keypair.fingerprint)
      return this.get(keypair.userId, keypair.name)
    })
  }

  /** @throws {CloudError} `over-quota` when the user has `limit` pairs already; -1 is without limit. */
  requireRoom(userId: string, limit: number): void {
    const { n } = this.#db.prepare<{ n: number }>('SELECT count(*) AS n FROM key_pairs WHERE user_id = ?').get(userId) ?? { n: 0 }
    if (limit >= 0 && n >= limit) throw overQuota('Quota exceeded, too many key pairs.')
  }

  /** @throws {CloudError} `not-found`. */
  remove(userId: string, name: string): void {
    if (this.#db.prepare('DELETE FROM key_pairs WHERE user_id = ? AND name = ?').run(userId, name).changes === 0)
      throw notFound(`Keypair ${name} not found for user ${userId}`)
  }
}
