/**
 * Passwords as PHC strings, `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, computed on libuv's threads.
 *
 * A hash takes 128 · r · 2^ln bytes, so only a few run at once and only so many wait. Lengths are bytes of UTF-8.
 *
 * A client that logs in for every command need not pay for each: what this process has found to be right, it remembers for a
 * while, as a keyed digest of password and stored hash. A wrong password, and an unknown user, cost a hash every time.
 *
 * @see https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md and https://www.rfc-editor.org/rfc/rfc7914
 */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Config } from '../base/config/index.ts'
import { invalid, unavailable } from '../base/errors.ts'
import { identityConfig } from './config.ts'

const blockSize = 8
const parallelism = 1
const hashBytes = 32
const atOnce = 2
const mostWaiting = 256
const rememberMs = 600_000
const mostRemembered = 1000

export type PasswordOptions = { /** Base-2 logarithm of scrypt's cost. */ rounds: number; maxBytes: number }

export const makePasswords = (config: Config): Passwords => {
  const { passwordHashRounds: rounds, maxPasswordLength: maxBytes } = config.get(identityConfig)
  return new Passwords({ rounds, maxBytes })
}

export class Passwords {
  readonly #options: PasswordOptions
  readonly #nobody: string
  #running = 0
  readonly #waiting: (() => void)[] = []
  /** By password. */
  readonly #begun = new Map<string, Promise<string>>()
  /** Right passwords, by {@link #digest}. */
  readonly #right = new LRUCache<string, true>({ max: mostRemembered, ttl: rememberMs })
  readonly #key = randomBytes(32)

  constructor(options: PasswordOptions) {
    this.#options = options
    this.#nobody = phc(options.rounds, randomBytes(16), randomBytes(hashBytes))
  }

  /** @throws {CloudError} `invalid` for one that is empty or too long. */
  checkLength(password: string): void {
    if (password === '' || Buffer.byteLength(password) > this.#options.maxBytes)
      throw invalid(`Password must be from 1 to ${this.#options.maxBytes} bytes long.`)
  }

  /** @throws {CloudError} `invalid` as {@link checkLength}; `unavailable` when too many wait. */
  async hash(password: string): Promise<string> {
    const begun = this.#begun.get(password)
    if (begun) {
      this.#begun.delete(password)
      return await begun
    }
    this.checkLength(password)
    const salt = randomBytes(16)
    const { rounds } = this.#options
    const stored = phc(rounds, salt, await this.#derive(password, salt, rounds, hashBytes))
    this.#right.set(this.#digest(password, stored), true)
    return stored
  }

  /** Begins what the next {@link hash} of this password goes on with; what goes wrong, goes wrong there. */
  hashAhead(password: string): void {
    const begun = this.hash(password)
    begun.catch(() => {})
    this.#begun.set(password, begun)
  }

  /**
   * Whether the password is the stored one. `null`, for a user who doesn't exist or has none, costs as much and is false.
   * @throws {CloudError} as {@link hash}.
   */
  async verify(password: string, stored: string | null): Promise<boolean> {
    this.checkLength(password)
    const digest = this.#digest(password, stored ?? '')
    if (this.#right.has(digest)) return true
    const known = stored === null ? null : readPhc(stored)
    const { rounds, salt, hash } = known ?? readPhc(this.#nobody)!
    const derived = await this.#derive(password, salt, rounds, hash.length)
    const isRight = timingSafeEqual(derived, hash) && known !== null
    if (isRight) this.#right.set(digest, true)
    return isRight
  }

  #digest(password: string, stored: string): string {
    return createHmac('sha256', this.#key).update(`${stored} ${password}`).digest('base64')
  }

  async #derive(password: string, salt: Buffer, rounds: number, length: number): Promise<Buffer> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= mostWaiting) throw unavailable('Too many log-ins at once; try again.')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      const cost = 2 ** rounds
      return await new Promise<Buffer>((resolve, reject) =>
        scrypt(password, salt, length, { N: cost, r: blockSize, p: parallelism, maxmem: 256 * blockSize * cost }, (error, key) =>
          error ? reject(error) : resolve(key),
        ),
      )
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}

const encode = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

const phc = (rounds: number, salt: Buffer, hash: Buffer): string =>
  `$scrypt$ln=${rounds},r=${blockSize},p=${parallelism}$${encode(salt)}$${encode(hash)}`

function readPhc(text: string): { rounds: number; salt: Buffer; hash: Buffer } | null {
  const match = /^\$scrypt\$ln=(\d{1,2}),r=8,p=1\$([\w+/]+)\$([\w+/]+)$/.exec(text)
  if (!match) return null
  const [, rounds = '', salt = '', hash = ''] = match
  return { rounds: Number(rounds), salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}
