/**
 * The keys that sign tokens: P-256, each in a file of its own (PKCS #8 PEM, mode 0600) named `<made at, ms>-<kid>.pem`.
 *
 * The newest signs, all verify. A key is replaced when it is `rotateMs` old and removed when the last token that it can have
 * signed is past use, `keepMs` after its replacement.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'

export type TokenKey = { readonly kid: string; readonly madeMs: number; readonly privateKey: KeyObject; readonly publicKey: KeyObject }

export type KeyRingOptions = { dir: string; clock: Clock; rotateMs: number; keepMs: number }

export class KeyRing {
  readonly #options: KeyRingOptions
  readonly #keys = new Map<string, TokenKey>()
  #newest: TokenKey

  /** Reads the keys of `dir`, and makes the first one if there is none. */
  constructor(options: KeyRingOptions) {
    this.#options = options
    mkdirSync(options.dir, { recursive: true, mode: 0o700 })
    for (const file of readdirSync(options.dir)) {
      const match = /^(\d{1,16})-([\w-]{8,32})\.pem$/.exec(file)
      if (!match) continue
      const privateKey = createPrivateKey(readFileSync(join(options.dir, file)))
      const kid = match[2] ?? ''
      this.#keys.set(kid, { kid, madeMs: Number(match[1]), privateKey, publicKey: createPublicKey(privateKey) })
    }
    const newest = [...this.#keys.values()].sort((a, b) => b.madeMs - a.madeMs)[0]
    this.#newest = newest ?? this.#make()
  }

  /** The key to sign with, fresh enough. */
  signing(): TokenKey {
    if (this.#options.clock.now() >= this.#newest.madeMs + this.#options.rotateMs) {
      this.#newest = this.#make()
      this.#dropOld()
    }
    return this.#newest
  }

  find(kid: string): TokenKey | undefined {
    return this.#keys.get(kid)
  }

  #make(): TokenKey {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = { kid: randomBytes(9).toString('base64url'), madeMs: this.#options.clock.now(), privateKey, publicKey }
    const file = this.#file(key)
    writeFileSync(`${file}.new`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    renameSync(`${file}.new`, file)
    this.#keys.set(key.kid, key)
    return key
  }

  #dropOld(): void {
    const { clock, rotateMs, keepMs } = this.#options
    for (const key of this.#keys.values()) {
      if (key === this.#newest || clock.now() < key.madeMs + rotateMs + keepMs) continue
      this.#keys.delete(key.kid)
      rmSync(this.#file(key), { force: true })
    }
  }

  #file = ({ madeMs, kid }: TokenKey): string => join(this.#options.dir, `${madeMs}-${kid}.pem`)
}
