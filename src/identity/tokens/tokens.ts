/**
 * Issues and validates tokens. What a token says is fixed when it is signed (who, which scope, until when); what that is worth is
 * looked up on every use, from memory as long as nothing in this room was written. Times are milliseconds since the epoch.
 */
import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { unauthenticated } from '../../base/errors.ts'
import type { Principal } from '../../base/http/index.ts'
import type { Access, AccessBook, Scope } from '../access.ts'
import type { TokenValues } from '../config.ts'
import type { IdentityState } from '../state.ts'
import { type Claims, readClaims, signClaims } from './jws.ts'
import type { KeyRing } from './keys.ts'
import type { Revocations } from './revocations.ts'

export type ValidToken = { readonly token: string; readonly claims: Claims; readonly access: Access; readonly principal: Principal }

export type IssueRequest = {
  access: Access
  methods: readonly string[]
  /** The new token ends no later than this. */
  notAfterMs?: number
  /** The audit id that the chain began with, when an earlier token was shown. */
  chainId?: string
}

type Entry = { claims: Claims; at: number; valid: ValidToken | null }

export const notAuthenticated = () => unauthenticated('The request you have made requires authentication.')

export class Tokens {
  readonly #state: IdentityState
  readonly #keys: KeyRing
  readonly #access: AccessBook
  readonly #revocations: Revocations
  readonly #config: TokenValues
  readonly #entries = new LRUCache<string, Entry>({ max: 10_000 })

  constructor(deps: { state: IdentityState; keys: KeyRing; access: AccessBook; revocations: Revocations; config: TokenValues }) {
    this.#state = deps.state
    this.#keys = deps.keys
    this.#access = deps.access
    this.#revocations = deps.revocations
    this.#config = deps.config
  }

  issue({ access, methods, notAfterMs = Number.POSITIVE_INFINITY, chainId }: IssueRequest): ValidToken {
    const issuedMs = this.#revocations.issueMs()
    const auditId = randomBytes(16).toString('base64url')
    const { scope, appCred } = access
    const endMs = Math.min(issuedMs + this.#config.expiration * 1000, notAfterMs, appCred?.expiresAtMs ?? Number.POSITIVE_INFINITY)
    const claims: Claims = {
      sub: access.user.id,
      iat: issuedMs / 1000,
      exp: endMs / 1000,
      openstack_methods: methods,
      openstack_audit_ids: chainId === undefined ? [auditId] : [auditId, chainId],
      ...(scope.kind === 'project' ? { openstack_project_id: scope.id } : {}),
      ...(scope.kind === 'domain' ? { openstack_domain_id: scope.id } : {}),
      ...(scope.kind === 'system' ? { openstack_system: 'all' as const } : {}),
      ...(appCred ? { openstack_app_cred_id: appCred.id } : {}),
    }
    const token = signClaims(claims, this.#keys)
    const valid = { token, claims, access, principal: principalOf(token, claims, access) }
    this.#entries.set(token, { claims, at: this.#state.generation, valid })
    return valid
  }

  /**
   * The token as of now, or `null` when it is not, or no longer, good.
   * @param options.allowExpired takes one that ended within `[token] allow_expired_window`.
   */
  validate(token: string, { allowExpired = false } = {}): ValidToken | null {
    let entry = this.#entries.get(token)
    if (!entry) {
      const claims = readClaims(token, this.#keys)
      if (!claims) return null
      entry = { claims, at: -1, valid: null }
      this.#entries.set(token, entry)
    }
    const endMs = entry.claims.exp * 1000 + (allowExpired ? this.#config.allowExpiredWindow * 1000 : 0)
    if (this.#state.clock.now() >= endMs) return null
    if (entry.at !== this.#state.generation) {
      entry.valid = this.#worth(token, entry.claims)
      entry.at = this.#state.generation
    }
    return entry.valid
  }

  /** @throws {CloudError} `unauthenticated`. */
  authenticate(token: string): Principal {
    const valid = this.validate(token)
    if (!valid) throw notAuthenticated()
    return valid.principal
  }

  #worth(token: string, claims: Claims): ValidToken | null {
    const access = this.#access.find(claims.sub, scopeOf(claims), claims.openstack_app_cred_id ?? null)
    if (!access) return null
    const domains = [access.user.domain.id, access.project?.domain.id, access.domain?.id].filter((id) => id !== undefined)
    if (this.#revocations.covers(claims, domains)) return null
    return { token, claims, access, principal: principalOf(token, claims, access) }
  }
}

export function scopeOf(claims: Claims): Scope {
  if (claims.openstack_project_id !== undefined) return { kind: 'project', id: claims.openstack_project_id }
  if (claims.openstack_domain_id !== undefined) return { kind: 'domain', id: claims.openstack_domain_id }
  return { kind: claims.openstack_system === undefined ? 'none' : 'system' }
}

function principalOf(token: string, claims: Claims, { user, project, domain, scope, roles }: Access): Principal {
  const names = roles.map(({ name }) => name)
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domain.id,
    projectId: project?.id ?? null,
    projectName: project?.name ?? null,
    projectDomainId: project?.domain.id ?? null,
    domainId: domain?.id ?? null,
    systemScope: scope.kind === 'system',
    roles: names,
    isAdmin: names.includes('admin'),
    token,
    auditId: claims.openstack_audit_ids[0] ?? '',
  }
}
