/**
 * Credentials that a user leaves here for other programs: a type and a blob, encrypted at rest with a key that lies beside the
 * database and not in it (`credential.key`, 32 bytes, mode 0600).
 *
 * @see https://docs.openstack.org/api-ref/identity/v3/#credentials
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { invalid, notFound } from '../base/errors.ts'
import type { Projects } from './projects.ts'
import { type IdentityState, newId } from './state.ts'
import type { Users } from './users.ts'

export type Credential = { id: string; userId: string; projectId: string | null; type: string; blob: string }
export type NewCredential = Omit<Credential, 'id'>

type Row = { id: string; user_id: string; project_id: string | null; type: string; encrypted_blob: string; key_hash: string }

const nonceBytes = 12
const tagBytes = 16

export class Credentials {
  readonly #deps: { state: IdentityState; users: Users; projects: Projects }
  readonly #key: Buffer
  readonly #keyHash: string

  constructor(deps: { state: IdentityState; users: Users; projects: Projects; dir: string }) {
    this.#deps = deps
    this.#key = readKey(deps.dir)
    this.#keyHash = createHash('sha256').update(this.#key).digest('hex')
  }

  list({ userId, type }: { userId: string | null; type: string | null }): Credential[] {
    return this.#deps.state.db
      .prepare<Row>('SELECT * FROM credential WHERE (? IS NULL OR user_id = ?) AND (? IS NULL OR type = ?) ORDER BY id')
      .all(userId, userId, type, type)
      .map((row) => this.#read(row))
  }

  find(id: string): Credential | null {
    const row = this.#deps.state.db.prepare<Row>('SELECT * FROM credential WHERE id = ?').get(id)
    return row ? this.#read(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): Credential {
    const found = this.find(id)
    if (!found) throw notFound(`Could not find credential: ${id.slice(0, 64)}.`)
    return found
  }

  /** @throws {CloudError} `not-found` for user or project, `invalid` for an ec2 blob without access key, `conflict` for a known one. */
  create(given: NewCredential): Credential {
    this.#deps.users.get(given.userId)
    if (given.projectId !== null) this.#deps.projects.get(given.projectId)
    const id = given.type === 'ec2' ? accessKeyHash(given) : newId()
    this.#deps.state.write(
      () =>
        this.#deps.state.db
          .prepare('INSERT INTO credential (id, user_id, project_id, type, encrypted_blob, key_hash, extra) VALUES (?, ?, ?, ?, ?, ?, ?)')
          .run(id, given.userId, given.projectId, given.type, this.#encrypt(given.blob), this.#keyHash, '{}'),
      'Conflict occurred attempting to store credential - Duplicate entry.',
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found` for credential or project, `invalid` as {@link create}. */
  update(id: string, change: Partial<Omit<NewCredential, 'userId'>>): Credential {
    const old = this.get(id)
    const next = {
      type: change.type ?? old.type,
      blob: change.blob ?? old.blob,
      projectId: change.projectId === undefined ? old.projectId : change.projectId,
    }
    if (next.projectId !== null) this.#deps.projects.get(next.projectId)
    if (next.type === 'ec2') accessKeyHash(next)
    this.#deps.state.write(() =>
      this.#deps.state.db
        .prepare('UPDATE credential SET type = ?, encrypted_blob = ?, key_hash = ?, project_id = ? WHERE id = ?')
        .run(next.type, this.#encrypt(next.blob), this.#keyHash, next.projectId, id),
    )
    return this.get(id)
  }

  /** @throws {CloudError} `not-found`. */
  delete(id: string): void {
    this.get(id)
    this.#deps.state.write(() => this.#deps.state.db.prepare('DELETE FROM credential WHERE id = ?').run(id))
  }

  #read(row: Row): Credential {
    return { id: row.id, userId: row.user_id, projectId: row.project_id, type: row.type, blob: this.#decrypt(row) }
  }

  #encrypt(blob: string): string {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce)
    const text = Buffer.concat([cipher.update(blob, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64')
  }

  /** Empty when another key encrypted it: the rest of the credential is still of use. */
  #decrypt({ encrypted_blob, key_hash }: Row): string {
    if (key_hash !== this.#keyHash) return ''
    const bytes = Buffer.from(encrypted_blob, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes))
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes))
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8')
  }
}

function readKey(dir: string): Buffer {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'credential.key')
  if (!existsSync(file)) {
    writeFileSync(`${file}.new`, randomBytes(32), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  return readFileSync(file)
}

function accessKeyHash({ blob, projectId }: Pick<Credential, 'blob' | 'projectId'>): string {
  let access: unknown
  try {
    access = (JSON.parse(blob) as { access?: unknown } | null)?.access
  } catch {
    // The parser's own words quote the blob, which is a secret.
    throw invalid('Invalid blob in credential: JSON is expected for type ec2.')
  }
  if (typeof access !== 'string' || access === '') throw invalid('Invalid blob in credential: an access key is expected for type ec2.')
  if (projectId === null) throw invalid('Expecting to find project_id in credential of type ec2.')
  return createHash('sha256').update(access).digest('hex')
}
