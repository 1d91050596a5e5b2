/**
 * Identity (Keystone): who asks, in which project, with which roles; and where the services are.
 *
 * @see https://docs.openstack.org/api-ref/identity/v3/
 */
import { join } from 'node:path'
import type { Ground } from '../base/ground.ts'
import { type Authenticate, identityDialect, type Service } from '../base/http/index.ts'
import { AccessBook } from './access.ts'
import { applicationCredentialOperations } from './api/application-credentials.ts'
import { authOperations } from './api/auth.ts'
import { credentialOperations } from './api/credentials.ts'
import type { Deps } from './api/deps.ts'
import { domainOperations } from './api/domains.ts'
import { allGrantOperations } from './api/grants.ts'
import { groupOperations } from './api/groups.ts'
import { policies } from './api/policy.ts'
import { projectOperations } from './api/projects.ts'
import { roleAssignmentOperations } from './api/role-assignments.ts'
import { roleOperations } from './api/roles.ts'
import { serviceOperations } from './api/services.ts'
import { userOperations } from './api/users.ts'
import { rootService, showVersion } from './api/versions.ts'
import { ApplicationCredentials } from './application-credentials.ts'
import { Assignments } from './assignments.ts'
import { makeAuthenticator } from './authentication.ts'
import { type Bootstrapped, type BootstrapSeed, bootstrap, ensureRoot } from './bootstrap.ts'
import { Catalog } from './catalog.ts'
import { identityConfig, tokenConfig } from './config.ts'
import { Credentials } from './credentials.ts'
import { Groups } from './groups.ts'
import { makePasswords, type Passwords } from './passwords.ts'
import { Projects } from './projects.ts'
import { Roles } from './roles.ts'
import { Services } from './services.ts'
import { IdentityState } from './state.ts'
import { Throttle } from './throttle.ts'
import { KeyRing } from './tokens/keys.ts'
import { Revocations } from './tokens/revocations.ts'
import { Tokens } from './tokens/tokens.ts'
import { Users } from './users.ts'

export { type Bootstrapped, type BootstrapSeed, type CatalogSeed, defaultCatalog } from './bootstrap.ts'
export { bootstrapConfig, identitySections } from './config.ts'
export type { Passwords } from './passwords.ts'

export type ProjectSummary = { id: string; name: string; domainId: string | null; enabled: boolean }
export type UserSummary = { id: string; name: string; domainId: string; enabled: boolean }

export type Identity = {
  /** The version list; mounted at `/identity`. */
  readonly root: Service
  /** Mounted at `/identity/v3`. */
  readonly v3: Service<Deps>
  readonly authenticate: Authenticate
  /** Makes what is missing of a new cloud's first things; see bootstrap.ts. */
  bootstrap(seed: BootstrapSeed): Promise<Bootstrapped>
  project(id: string): ProjectSummary | null
  projects(): ProjectSummary[]
  user(id: string): UserSummary | null
  /** Names of the roles that a user has in a project now, implied ones included; none when either is disabled. */
  roleNames(userId: string, projectId: string): string[]
}

export type IdentityOptions = {
  /** What an operator creates takes the place of the services and endpoints that every cloud begins with; see services.ts. */
  yieldsCatalog?: boolean
  /** Where some are being hashed already; by default its own. */
  passwords?: Passwords
}

const operations = [
  showVersion,
  ...authOperations,
  ...domainOperations,
  ...projectOperations,
  ...userOperations,
  ...groupOperations,
  ...roleOperations,
  ...allGrantOperations,
  ...roleAssignmentOperations,
  ...serviceOperations,
  ...applicationCredentialOperations,
  ...credentialOperations,
]

/** Its policies, for whoever lists them all. */
export const identityPolicies = { service: 'identity', policies, scopes: null, operations }

export function makeIdentity({ db, clock, config, dataDir }: Ground, options: IdentityOptions = {}): Identity {
  const { yieldsCatalog = false, passwords = makePasswords(config) } = options
  const identityValues = config.get(identityConfig)
  const tokenValues = config.get(tokenConfig)
  const state = new IdentityState(db, clock)
  ensureRoot(state)
  const secretsDir = join(dataDir, 'identity-keys')
  const longestTokenLifeMs = (tokenValues.expiration + tokenValues.allowExpiredWindow) * 1000
  const keys = new KeyRing({
    dir: secretsDir,
    clock,
    rotateMs: tokenValues.keyRotation * 1000,
    keepMs: longestTokenLifeMs,
  })
  const access = new AccessBook(state)
  const revocations = new Revocations(state, { keepMs: longestTokenLifeMs })
  const tokens = new Tokens({ state, keys, access, revocations, config: tokenValues })
  const throttle = new Throttle(clock, { limit: identityValues.lockoutFailureAttempts })
  const authenticator = makeAuthenticator({ state, access, tokens, passwords, throttle, config: tokenValues })
  const projects = new Projects(state, revocations)
  const users = new Users({ state, passwords, projects, revocations })
  const groups = new Groups(state, projects, users)
  const roles = new Roles(state)
  const assignments = new Assignments({ state, users, groups, projects, roles })
  const summary = ({ id, name, domainId, enabled }: ProjectSummary): ProjectSummary => ({ id, name, domainId, enabled })
  return {
    root: rootService,
    v3: {
      name: 'identity',
      dialect: identityDialect,
      operations,
      deps: {
        access,
        applicationCredentials: new ApplicationCredentials(state, passwords, roles),
        assignments,
        authenticator,
        catalog: new Catalog(state),
        credentials: new Credentials({ state, users, projects, dir: secretsDir }),
        groups,
        projects,
        revocations,
        roles,
        services: new Services(state, { yieldsCatalog }),
        tokens,
        users,
      },
      policies,
      adminRule: 'admin_required',
    },
    authenticate: (token) => tokens.authenticate(token),
    bootstrap: (seed) => bootstrap(state, passwords, seed),
    project(id) {
      const found = projects.find(id)
      return found ? summary(found) : null
    },
    projects: () => projects.list(new URLSearchParams(), null).map(summary),
    user(id) {
      const found = users.find(id)
      return found ? { id: found.id, name: found.name, domainId: found.domainId, enabled: found.enabled } : null
    },
    roleNames: (userId, projectId) => access.find(userId, { kind: 'project', id: projectId })?.roles.map(({ name }) => name) ?? [],
  }
}
