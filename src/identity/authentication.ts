/**
 * From proofs of identity to a token: methods password, token and application_credential, alone or together, and a scope.
 *
 * Whatever fails, the answer is the same 401: no one learns whether a user, project or role exists. A token shown as proof
 * passes on no more than it holds: the new one ends when it does, and keeps its scope unless it had none.
 *
 * @see https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
 */
import { type CloudError, forbidden, invalid } from '../base/errors.ts'
import { type Access, type AccessBook, type Scope, sameScope } from './access.ts'
import type { TokenValues } from './config.ts'
import { enoughFactors } from './options.ts'
import type { Passwords } from './passwords.ts'
import type { IdentityState } from './state.ts'
import type { Throttle } from './throttle.ts'
import { notAuthenticated, scopeOf, type Tokens, type ValidToken } from './tokens/tokens.ts'

export type DomainRef = { id?: string; name?: string }
export type UserRef = { id?: string; name?: string; domain?: DomainRef }
export type ScopeRequest =
  | { kind: 'unscoped' }
  | { kind: 'system' }
  | { kind: 'domain'; domain: DomainRef }
  | { kind: 'project'; id?: string; name?: string; domain?: DomainRef }
export type AuthRequest = {
  methods: readonly string[]
  password?: { user: UserRef & { password: string } }
  token?: { id: string }
  application_credential?: { id?: string; name?: string; secret: string; user?: UserRef }
  /** Absent when the client names none. */
  scope?: ScopeRequest
}

type Proof = { userId: string; appCredId?: string; source?: ValidToken }

export type Authenticator = {
  /**
   * @throws {CloudError} `unauthenticated`; `invalid` for a body that lacks what a method needs; `forbidden` when a token would
   * be exchanged for one of wider scope.
   */
  issue(request: AuthRequest, address: string | null): Promise<ValidToken>
  /** Whether this is the user's password; slow by design, and throttled. */
  checkPassword(user: UserRef, password: string, address: string | null): Promise<string>
}

const missing = (what: string, where: string): CloudError =>
  invalid(
    `Expecting to find ${what} in ${where}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
  )

export type AuthenticatorDeps = {
  state: IdentityState
  access: AccessBook
  tokens: Tokens
  passwords: Passwords
  throttle: Throttle
  config: TokenValues
}

/** Names of domains and projects whose ids are remembered. */
const namesKept = 1000

export function makeAuthenticator({ state, access, tokens, passwords, throttle, config }: AuthenticatorDeps): Authenticator {
  const { db } = state

  const domainNamed = (name: string): string | null =>
    db.prepare<{ id: string }>("SELECT id FROM project WHERE is_domain = 1 AND name = ? AND id <> '<<keystone.domain.root>>'").get(name)
      ?.id ?? null
  const projectNamed = (domain: string | null, name: string): string | null =>
    db.prepare<{ id: string }>('SELECT id FROM project WHERE domain_id = ? AND name = ? AND is_domain = 0').get(domain, name)?.id ?? null
  const domains = state.rememberBy<{ id: string | null }>(namesKept)
  const projects = state.rememberBy<{ id: string | null }>(namesKept)

  function domainId(ref: DomainRef | undefined, where: string): string | null {
    if (ref === undefined) throw missing('domain', where)
    const { id, name } = ref
    if (id !== undefined) return id
    if (name === undefined) throw missing('id or name', 'domain')
    return domains(name, () => ({ id: domainNamed(name) })).id
  }

  function userId(ref: UserRef): string | null {
    if (ref.id !== undefined) return ref.id
    if (ref.name === undefined) throw missing('id or name', 'user')
    const domain = domainId(ref.domain, 'user')
    const row = db.prepare<{ user_id: string }>('SELECT user_id FROM local_user WHERE domain_id = ? AND name = ?').get(domain, ref.name)
    return row?.user_id ?? null
  }

  const storedPassword = (id: string): string | null =>
    db
      .prepare<{ password_hash: string | null }>(
        'SELECT p.password_hash FROM password p JOIN local_user l ON l.id = p.local_user_id WHERE l.user_id = ? ORDER BY p.id DESC LIMIT 1',
      )
      .get(id)?.password_hash ?? null

  type AppCred = { id: string; user_id: string; secret_hash: string; expires_at: number | null }
  const appCredOf = (ref: NonNullable<AuthRequest['application_credential']>): AppCred | undefined => {
    const columns = 'SELECT id, user_id, secret_hash, expires_at FROM application_credential'
    if (ref.id !== undefined) return db.prepare<AppCred>(`${columns} WHERE id = ?`).get(ref.id)
    if (ref.name === undefined) throw missing('id or name', 'application_credential')
    if (ref.user === undefined) throw missing('user', 'application_credential')
    return db.prepare<AppCred>(`${columns} WHERE user_id = ? AND name = ?`).get(userId(ref.user), ref.name)
  }

  /** Compares, slowly, and once more looks whether what was compared with still holds. */
  async function compare(key: string, address: string | null, secret: string, stored: () => string | null): Promise<void> {
    passwords.checkLength(secret)
    const attempt = await throttle.attempt(key.slice(0, 512), address)
    if (!attempt) throw notAuthenticated()
    let isRight = false
    try {
      const expected = stored()
      isRight = (await passwords.verify(secret, expected)) && stored() === expected
    } finally {
      if (isRight) attempt.succeeded()
      else attempt.failed()
    }
    if (!isRight) throw notAuthenticated()
  }

  async function checkPassword(user: UserRef, password: string, address: string | null): Promise<string> {
    const id = userId(user)
    const key = id ?? `${user.domain?.id ?? user.domain?.name} ${user.name}`
    await compare(key, address, password, () => (id === null ? null : storedPassword(id)))
    if (id === null) throw notAuthenticated()
    return id
  }

  const provers: Record<string, (request: AuthRequest, address: string | null) => Promise<Proof>> = {
    async password({ password }, address) {
      if (!password) throw missing('password', 'identity')
      return { userId: await checkPassword(password.user, password.user.password, address) }
    },
    async token({ token }) {
      if (!token) throw missing('token', 'identity')
      const source = tokens.validate(token.id)
      if (!source) throw notAuthenticated()
      return { userId: source.claims.sub, source }
    },
    async application_credential({ application_credential: ref }, address) {
      if (!ref) throw missing('application_credential', 'identity')
      const found = appCredOf(ref)
      await compare(`${found?.id ?? ref.id ?? ref.name}`, address, ref.secret, () => appCredOf(ref)?.secret_hash ?? null)
      if (!found || (found.expires_at !== null && found.expires_at / 1000 <= state.clock.now())) throw notAuthenticated()
      return { userId: found.user_id, appCredId: found.id }
    },
  }

  /** `null` when what the client names is not there. */
  function namedScope(request: ScopeRequest): Scope | null {
    switch (request.kind) {
      case 'unscoped':
        return { kind: 'none' }
      case 'system':
        return { kind: 'system' }
      case 'domain': {
        const id = domainId(request.domain, 'scope')
        return id === null ? null : { kind: 'domain', id }
      }
      case 'project': {
        const { name } = request
        if (request.id !== undefined) return { kind: 'project', id: request.id }
        if (name === undefined) throw missing('id or name', 'project')
        const domain = domainId(request.domain, 'project')
        const { id } = projects(JSON.stringify([domain, name]), () => ({ id: projectNamed(domain, name) }))
        return id === null ? null : { kind: 'project', id }
      }
    }
  }

  function defaultAccess(user: string): Access | null {
    const unscoped = access.find(user, { kind: 'none' })
    const projectId = unscoped?.user.defaultProjectId
    return (projectId ? access.find(user, { kind: 'project', id: projectId }) : null) ?? unscoped
  }

  function reach(user: string, scope: ScopeRequest | undefined, proofs: readonly Proof[]): Access | null {
    const source = proofs.find((proof) => proof.source)?.source
    const appCredId = proofs.find((proof) => proof.appCredId)?.appCredId
    if (appCredId !== undefined) {
      const row = db.prepare<{ project_id: string | null }>('SELECT project_id FROM application_credential WHERE id = ?').get(appCredId)
      // An application credential has a scope of its own: asking for another, or for any, is refused.
      if (!row?.project_id || scope !== undefined) return null
      const own: Scope = { kind: 'project', id: row.project_id }
      if (source) narrowed(source, own)
      return access.find(user, own, appCredId)
    }
    const wanted = scope === undefined ? undefined : namedScope(scope)
    if (wanted === null) return null
    if (!source) return wanted === undefined ? defaultAccess(user) : access.find(user, wanted)
    const held = scopeOf(source.claims)
    if (wanted === undefined && held.kind === 'none') return defaultAccess(user)
    const next = wanted ?? held
    narrowed(source, next)
    return access.find(user, next, source.claims.openstack_app_cred_id ?? null)
  }

  /** @throws {CloudError} `forbidden` unless the new scope is the token's own, or the token had none. */
  function narrowed(source: ValidToken, next: Scope): void {
    const held = scopeOf(source.claims)
    if (sameScope(held, next)) return
    const delegated = source.claims.openstack_app_cred_id !== undefined
    if (delegated || (held.kind !== 'none' && !config.allowRescopeScopedToken))
      throw forbidden('You are not authorized to perform the requested action: rescope a scoped token.')
  }

  return {
    checkPassword,
    async issue(request, address) {
      const methods = [...new Set(request.methods)]
      if (methods.length === 0) throw notAuthenticated()
      const proofs: Proof[] = []
      for (const method of methods) {
        const prove = Object.hasOwn(provers, method) ? provers[method] : undefined
        if (!prove) throw notAuthenticated()
        proofs.push(await prove(request, address))
      }
      const user = proofs[0]!.userId
      if (proofs.some((proof) => proof.userId !== user)) throw notAuthenticated()
      const found = reach(user, request.scope, proofs)
      if (!found) throw notAuthenticated()
      const source = proofs.find((proof) => proof.source)?.source
      // A proof that took a while may have been overtaken by a revocation.
      if (source && !tokens.validate(source.token)) throw notAuthenticated()
      const passed = [...new Set([...methods, ...(source?.claims.openstack_methods ?? [])])]
      if (!enoughFactors(found.user.options, passed)) throw notAuthenticated()
      return tokens.issue({
        access: found,
        methods: passed,
        ...(source ? { notAfterMs: source.claims.exp * 1000, chainId: source.claims.openstack_audit_ids.at(-1) } : {}),
      })
    },
  }
}
