/**
 * What ends tokens before their time: a token by its audit id; all tokens of a user, project or domain issued up to a moment.
 *
 * Kept in `revocation_event` and, for the check on every request, in memory. An event is dropped once no token that it could
 * end would still be valid. Times are milliseconds since the epoch.
 */
import { timeOf, timeText } from '../../base/clock.ts'
import type { IdentityState } from '../state.ts'
import type { Claims } from './jws.ts'

type Event = {
  user_id: string | null
  project_id: string | null
  domain_id: string | null
  audit_id: string | null
  issued_before: string
}

export type RevocationOptions = { /** How long an event can matter. */ keepMs: number }

export class Revocations {
  readonly #state: IdentityState
  readonly #keepMs: number
  readonly #audits = new Map<string, number>()
  readonly #before = { user: new Map<string, number>(), project: new Map<string, number>(), domain: new Map<string, number>() }
  #lastMs = 0

  constructor(state: IdentityState, { keepMs }: RevocationOptions) {
    this.#state = state
    this.#keepMs = keepMs
    this.#forgetOld()
    const events = state.db
      .prepare<Event>('SELECT user_id, project_id, domain_id, audit_id, issued_before FROM revocation_event ORDER BY id')
      .all()
    for (const event of events) this.#apply(event, timeOf(event.issued_before))
  }

  /** A time to issue at that no earlier revocation covers, even within one millisecond. */
  issueMs(): number {
    return Math.max(this.#state.clock.now(), this.#lastMs + 1)
  }

  /** Whether these claims are revoked; `domainIds` are those of the user and of the scope. */
  covers(claims: Claims, domainIds: readonly string[]): boolean {
    if (this.#audits.has(claims.openstack_audit_ids[0] ?? '')) return true
    const issuedMs = Math.round(claims.iat * 1000)
    const { user, project, domain } = this.#before
    const ended = (map: Map<string, number>, id: string | undefined) => id !== undefined && (map.get(id) ?? -1) >= issuedMs
    return ended(user, claims.sub) || ended(project, claims.openstack_project_id) || domainIds.some((domainId) => ended(domain, domainId))
  }

  revokeToken(auditId: string): void {
    this.#record({ audit_id: auditId })
  }
  revokeUser(userId: string): void {
    this.#record({ user_id: userId })
  }
  revokeProject(projectId: string): void {
    this.#record({ project_id: projectId })
  }
  revokeDomain(domainId: string): void {
    this.#record({ domain_id: domainId })
  }

  #record(what: Partial<Event>): void {
    const { db } = this.#state
    const nowMs = this.issueMs() // not before a token that was issued at the last revocation's heels
    const event = { user_id: null, project_id: null, domain_id: null, audit_id: null, ...what, issued_before: timeText(nowMs) }
    this.#state.write(() => {
      this.#forgetOld()
      db.prepare(
        'INSERT INTO revocation_event (user_id, project_id, domain_id, audit_id, issued_before, revoked_at) VALUES (?, ?, ?, ?, ?, ?)',
      ).run(event.user_id, event.project_id, event.domain_id, event.audit_id, event.issued_before, event.issued_before)
      db.afterCommit(() => this.#apply(event, nowMs))
    })
  }

  #apply(event: Event, atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs)
    const put = (map: Map<string, number>, id: string | null) => {
      if (id === null) return
      map.delete(id) // the newest stand last
      map.set(id, atMs)
    }
    put(this.#audits, event.audit_id)
    put(this.#before.user, event.user_id)
    put(this.#before.project, event.project_id)
    put(this.#before.domain, event.domain_id)
  }

  #forgetOld(): void {
    const oldestMs = this.#state.clock.now() - this.#keepMs
    this.#state.db.prepare('DELETE FROM revocation_event WHERE revoked_at < ?').run(timeText(oldestMs))
    for (const map of [this.#audits, ...Object.values(this.#before)]) {
      for (const [id, atMs] of map) {
        if (atMs >= oldestMs) break
        map.delete(id)
      }
    }
  }
}
