/**
 * Console tokens: 128 random bits in the form of a uuid, as Nova's look. Only their SHA-256 is kept, so the database gives no
 * console away; a token is shown once, in the URL that carries it.
 *
 * A token lives until it expires, until a console is opened with it, or until its server is deleted, whichever is first. `expires`
 * is in seconds since the epoch. A console on a UNIX socket has port 0 and the socket's path in `internal_access_path`.
 *
 * @see https://docs.openstack.org/nova/latest/admin/remote-console-access.html
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Ground } from '../../base/ground.ts'

export type ConsoleToken = {
  readonly consoleType: string
  readonly instanceUuid: string
  /** Where the console's bytes are: an address and port, or a compute host and a socket's path. */
  readonly host: string
  readonly port: number
  readonly tlsPort: number | null
  readonly internalAccessPath: string | null
  /** Seconds since the epoch. */
  readonly expires: number
  /** The page's URL, without its query. */
  readonly accessUrlBase: string
}

const columns = `console_type AS consoleType, instance_uuid AS instanceUuid, host, port, tls_port AS tlsPort,
  internal_access_path AS internalAccessPath, expires, access_url_base AS accessUrlBase`

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

function newToken(): string {
  const hex = randomBytes(16).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export class ConsoleTokens {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  /** Keeps the hash and answers the token, which nobody can read again. */
  create(console: Omit<ConsoleToken, 'expires'>, ttlSeconds: number): string {
    const token = newToken()
    this.#db
      .prepare(
        `INSERT INTO console_auth_tokens (created_at, token_hash, console_type, host, port, tls_port, internal_access_path, instance_uuid, expires, access_url_base)
         VALUES (@now, @hash, @consoleType, @host, @port, @tlsPort, @internalAccessPath, @instanceUuid, @expires, @accessUrlBase)`,
      )
      .run({ ...console, now: this.#clock.text(), hash: hashOf(token), expires: this.#seconds() + ttlSeconds })
    return token
  }

  /** `null` for one that never was, is used up or has expired. */
  find(token: string): ConsoleToken | null {
    return (
      this.#db
        .prepare<ConsoleToken>(`SELECT ${columns} FROM console_auth_tokens WHERE token_hash = ? AND expires > ?`)
        .get(hashOf(token), this.#seconds()) ?? null
    )
  }

  /** Uses a token up. False when it was no longer good: of two who come at once, one gets true. */
  consume(token: string): boolean {
    const { changes } = this.#db
      .prepare('DELETE FROM console_auth_tokens WHERE token_hash = ? AND expires > ?')
      .run(hashOf(token), this.#seconds())
    return changes > 0
  }

  /** Ends all tokens of a server. */
  revoke(instanceUuid: string): void {
    this.#db.prepare('DELETE FROM console_auth_tokens WHERE instance_uuid = ?').run(instanceUuid)
  }

  removeExpired(): void {
    this.#db.prepare('DELETE FROM console_auth_tokens WHERE expires <= ?').run(this.#seconds())
  }

  /** Ends every token there is. */
  clear(): void {
    this.#db.prepare('DELETE FROM console_auth_tokens').run()
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000)
  }
}
