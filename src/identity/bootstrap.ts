/**
 * What a new cloud has: the default domain, roles and what they imply, projects, users, region, services and endpoints. Only what is
 * missing is made, so it can run at every start; passwords of users who exist are left alone.
 */
import type { Passwords } from './passwords.ts'
import type { IdentityState } from './state.ts'
import { newId, writeExtra } from './state.ts'

/** Services of ours: `path` is where they are mounted. */
export type CatalogSeed = readonly { type: string; name: string; description?: string; path: string }[]
export type BootstrapSeed = {
  password: string
  demoPassword: string
  region: string
  catalog: CatalogSeed
  /** The project `service` is left to an installation guide's reader, who makes it. */
  followsGuide?: boolean
}
export type Bootstrapped = {
  adminUserId: string
  demoUserId: string
  adminProjectId: string
  demoProjectId: string
  /** Null where an installation guide is followed and did not make it yet. */
  serviceProjectId: string | null
  defaultDomainId: string
  roleIds: Record<'admin' | 'manager' | 'member' | 'reader' | 'service', string>
}

export const rootDomainId = '<<keystone.domain.root>>'
export const defaultDomainId = 'default'
export const noDomain = '<<null>>'

export const defaultCatalog: CatalogSeed = [
  { type: 'compute', name: 'nova', path: '/compute/v2.1' },
  { type: 'identity', name: 'keystone', path: '/identity' },
  { type: 'image', name: 'glance', path: '/image' },
  { type: 'network', name: 'neutron', path: '/network' },
  { type: 'placement', name: 'placement', path: '/placement' },
]

const implications = [
  ['admin', 'manager'],
  ['manager', 'member'],
  ['member', 'reader'],
] as const

/** The row above all domains. */
export function ensureRoot(state: IdentityState): void {
  state.write(() =>
    state.db
      .prepare('INSERT OR IGNORE INTO project (id, name, extra, enabled, domain_id, is_domain) VALUES (?, ?, ?, 0, ?, 1)')
      .run(rootDomainId, rootDomainId, '{}', rootDomainId),
  )
}

/** @throws {CloudError} `invalid` for a password that cannot be taken. */
export async function bootstrap(state: IdentityState, passwords: Passwords, seed: BootstrapSeed): Promise<Bootstrapped> {
  const { db, clock } = state
  const idOf = (sql: string, ...values: string[]) => db.prepare<{ id: string }>(sql).get(...values)?.id
  const userIdOf = (name: string) => idOf('SELECT user_id AS id FROM local_user WHERE domain_id = ? AND name = ?', defaultDomainId, name)
  const [adminHash, demoHash] = await Promise.all(
    (
      [
        ['admin', seed.password],
        ['demo', seed.demoPassword],
      ] as const
    ).map(([name, password]) => (userIdOf(name) === undefined ? passwords.hash(password) : '')),
  )

  const role = (name: string): string => {
    const found = idOf('SELECT id FROM role WHERE name = ? AND domain_id = ?', name, noDomain)
    if (found !== undefined) return found
    const id = newId()
    db.prepare('INSERT INTO role (id, name, extra, domain_id) VALUES (?, ?, ?, ?)').run(id, name, '{}', noDomain)
    return id
  }
  const project = (name: string, description: string): string => {
    const found = idOf('SELECT id FROM project WHERE domain_id = ? AND name = ?', defaultDomainId, name)
    if (found !== undefined) return found
    const id = newId()
    db.prepare(
      'INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain) VALUES (?, ?, ?, ?, 1, ?, ?, 0)',
    ).run(id, name, '{}', description, defaultDomainId, defaultDomainId)
    return id
  }
  const user = (name: string, hash: string, defaultProjectId: string | null): string => {
    const found = userIdOf(name)
    if (found !== undefined) return found
    const id = newId()
    db.prepare('INSERT INTO user (id, extra, enabled, default_project_id, created_at, domain_id) VALUES (?, ?, 1, ?, ?, ?)').run(
      id,
      '{}',
      defaultProjectId,
      clock.text(),
      defaultDomainId,
    )
    const { lastInsertRowid } = db
      .prepare('INSERT INTO local_user (user_id, domain_id, name, failed_auth_count) VALUES (?, ?, ?, 0)')
      .run(id, defaultDomainId, name)
    db.prepare('INSERT INTO password (local_user_id, password_hash, self_service, created_at, created_at_int) VALUES (?, ?, 0, ?, ?)').run(
      lastInsertRowid,
      hash,
      clock.text(),
      clock.now() * 1000,
    )
    return id
  }
  const assign = (userId: string, projectId: string, roleId: string) =>
    db
      .prepare("INSERT OR IGNORE INTO assignment (type, actor_id, target_id, role_id, inherited) VALUES ('UserProject', ?, ?, ?, 0)")
      .run(userId, projectId, roleId)
  const service = ({ type, name, description = '', path }: CatalogSeed[number]) => {
    let id = idOf("SELECT id FROM service WHERE type = ? AND json_extract(extra, '$.name') = ?", type, name)
    if (id === undefined) {
      // An operator's own of another name.
      if (idOf('SELECT e.id FROM endpoint e JOIN service s ON s.id = e.service_id WHERE s.type = ? LIMIT 1', type) !== undefined) return
      id = newId()
      db.prepare('INSERT INTO service (id, type, enabled, extra) VALUES (?, ?, 1, ?)').run(id, type, writeExtra({ name, description }))
    } else if (idOf('SELECT id FROM endpoint WHERE service_id = ? LIMIT 1', id) !== undefined) return
    for (const kind of ['public', 'internal', 'admin'])
      db.prepare('INSERT INTO endpoint (id, interface, region_id, service_id, url, enabled, extra) VALUES (?, ?, ?, ?, ?, 1, ?)').run(
        newId(),
        kind,
        seed.region,
        id,
        `$(origin)s${path}`,
        '{}',
      )
  }

  return state.write(() => {
    const isNew = idOf('SELECT id FROM project WHERE id = ?', defaultDomainId) === undefined
    db.prepare(
      'INSERT OR IGNORE INTO project (id, name, extra, description, enabled, domain_id, is_domain) VALUES (?, ?, ?, ?, 1, ?, 1)',
    ).run(defaultDomainId, 'Default', '{}', 'The default domain', rootDomainId)
    const names = ['admin', 'manager', 'member', 'reader', 'service'] as const
    const roleIds = Object.fromEntries(names.map((name) => [name, role(name)])) as Bootstrapped['roleIds']
    const adminProjectId = project('admin', 'For the administration of this cloud.')
    const demoProjectId = project('demo', 'For trying things out.')
    const serviceProjectId = seed.followsGuide ? null : project('service', "For the cloud's own services.")
    const adminUserId = user('admin', adminHash ?? '', null)
    const demoUserId = user('demo', demoHash ?? '', null)
    if (isNew) {
      for (const [prior, implied] of implications)
        db.prepare('INSERT OR IGNORE INTO implied_role (prior_role_id, implied_role_id) VALUES (?, ?)').run(
          roleIds[prior],
          roleIds[implied],
        )
      assign(adminUserId, demoProjectId, roleIds.admin)
      assign(demoUserId, demoProjectId, roleIds.member)
    }
    assign(adminUserId, adminProjectId, roleIds.admin)
    db.prepare(
      "INSERT OR IGNORE INTO system_assignment (type, actor_id, target_id, role_id, inherited) VALUES ('UserSystem', ?, 'system', ?, 0)",
    ).run(adminUserId, roleIds.admin)
    db.prepare('INSERT OR IGNORE INTO region (id, description, extra) VALUES (?, ?, ?)').run(seed.region, '', '{}')
    for (const entry of seed.catalog) service(entry)
    return { adminUserId, demoUserId, adminProjectId, demoProjectId, serviceProjectId, defaultDomainId, roleIds }
  })
}
