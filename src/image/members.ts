/**
 * Members of a shared image: projects that its owner offers it to, and whether they took it. Only the owner adds and
 * removes; only the member itself, or an administrator, accepts and rejects.
 *
 * @see https://docs.openstack.org/api-ref/image/v2/#sharing
 */
import type { Clock } from '../base/clock.ts'
import type { Database } from '../base/db/index.ts'
import { CloudError, conflict, forbidden, notFound } from '../base/errors.ts'
import { type Image, isOwner, type Viewer } from './image.ts'

export const memberStatuses = ['pending', 'accepted', 'rejected'] as const
export type MemberStatus = (typeof memberStatuses)[number]
export type Member = { imageId: string; projectId: string; status: MemberStatus; createdAt: string; updatedAt: string }

type MemberRow = { image_id: string; member: string; status: MemberStatus; created_at: string; updated_at: string | null }

const toMember = (row: MemberRow): Member => ({
  imageId: row.image_id,
  projectId: row.member,
  status: row.status,
  createdAt: row.created_at,
  updatedAt: row.updated_at ?? row.created_at,
})

export class Members {
  readonly #db: Database
  readonly #clock: Clock
  readonly #quota: number

  constructor({ db, clock, quota }: { db: Database; clock: Clock; quota: number }) {
    this.#db = db
    this.#clock = clock
    this.#quota = quota
  }

  /** All of them to the owner, its own membership to a member. @throws {CloudError} `forbidden` unless the image is shared. */
  list(image: Image, viewer: Viewer): Member[] {
    requireShared(image)
    const rows = this.#db
      .prepare<MemberRow>('SELECT * FROM image_members WHERE image_id = ? AND deleted = 0 ORDER BY created_at, id')
      .all(image.id)
    const members = rows.map(toMember)
    return seesAll(image, viewer) ? members : members.filter(({ projectId }) => projectId === viewer?.projectId)
  }

  /** @throws {CloudError} `not-found`; `forbidden` unless the image is shared. */
  get(image: Image, projectId: string, viewer: Viewer): Member {
    const found = this.list(image, viewer).find((member) => member.projectId === projectId)
    if (!found) throw notFound(`${projectId.slice(0, 64)} not found in the member list of the image ${image.id}.`)
    return found
  }

  /** @throws {CloudError} `forbidden`, `conflict`, `too-large` beyond the quota. */
  add(image: Image, projectId: string, viewer: Viewer): Member {
    requireShared(image)
    requireOwner(image, viewer)
    const members = this.list(image, null)
    if (members.some((member) => member.projectId === projectId))
      throw conflict(`Image member ${projectId} already exists for image ${image.id}.`)
    if (this.#quota >= 0 && members.length >= this.#quota)
      throw new CloudError(
        'too-large',
        `The limit has been exceeded on the number of allowed image members for this image. Attempted: ${members.length + 1}, Maximum: ${this.#quota}`,
      )
    const now = this.#clock.text()
    this.#db
      .prepare(
        "INSERT INTO image_members (image_id, member, can_share, status, created_at, updated_at, deleted) VALUES (?, ?, 0, 'pending', ?, ?, 0)",
      )
      .run(image.id, projectId, now, now)
    return this.get(image, projectId, null)
  }

  /** @throws {CloudError} `not-found`, `forbidden` for anyone but the member. */
  setStatus(image: Image, projectId: string, status: MemberStatus, viewer: Viewer): Member {
    const member = this.get(image, projectId, viewer)
    if (viewer !== null && !viewer.isAdmin && viewer.projectId !== member.projectId)
      throw forbidden('You are not permitted to modify this image member: only the member itself sets its status.')
    this.#db
      .prepare('UPDATE image_members SET status = ?, updated_at = ? WHERE image_id = ? AND member = ? AND deleted = 0')
      .run(status, this.#clock.text(), image.id, projectId)
    return this.get(image, projectId, null)
  }

  /** @throws {CloudError} `not-found`, `forbidden`. */
  remove(image: Image, projectId: string, viewer: Viewer): void {
    requireShared(image)
    requireOwner(image, viewer)
    this.get(image, projectId, null)
    this.#db
      .prepare('UPDATE OR REPLACE image_members SET deleted = 1, deleted_at = ? WHERE image_id = ? AND member = ? AND deleted = 0')
      .run(this.#clock.text(), image.id, projectId)
  }
}

const seesAll = (image: Image, viewer: Viewer): boolean => viewer === null || viewer.isAdmin || isOwner(image, viewer)

function requireShared(image: Image): void {
  if (image.visibility !== 'shared') throw forbidden('Only shared images have members.')
}

function requireOwner(image: Image, viewer: Viewer): void {
  if (!seesAll(image, viewer)) throw forbidden('You are not permitted to change the members of this image: it belongs to another project.')
}
