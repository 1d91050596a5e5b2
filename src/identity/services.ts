/**
 * Services, endpoints and regions as administrators keep them; what clients see of them is in catalog.ts.
 *
 * Where the catalogue yields (an installation guide is followed, whose commands name a service by its type and find it only when there
 * is one of that type), creating a service that a new cloud has already makes that one the operator's; and creating an endpoint of
 * it takes the place of ours of the same interface and region. So nothing is there twice, and nothing is missing in between.
 */
import { forbidden, invalid, notFound } from '../base/errors.ts'
import { type EndpointRow, hasKnownPlaceholders, type ServiceRow } from './catalog.ts'
import { type Columns, selection } from './selection.ts'
import { type Extra, type IdentityState, newId, readExtra, writeExtra } from './state.ts'

export type CatalogService = { id: string; type: string; enabled: boolean; extra: Extra }
export type Endpoint = {
  id: string
  interface: string
  regionId: string | null
  serviceId: string
  url: string
  enabled: boolean
  extra: Extra
}
export type Region = { id: string; description: string; parentId: string | null; extra: Extra }

type RegionRow = { id: string; description: string; parent_region_id: string | null; extra: string | null }

const serviceColumns: Columns = { type: 's.type', name: "json_extract(s.extra, '$.name')" }
const endpointColumns: Columns = { interface: 'e.interface', service_id: 'e.service_id', region_id: 'e.region_id' }
const regionColumns: Columns = { parent_region_id: 'r.parent_region_id' }

const readService = (row: ServiceRow): CatalogService => ({
  id: row.id,
  type: row.type ?? '',
  enabled: row.enabled === 1,
  extra: readExtra(row.extra),
})
const readEndpoint = (row: EndpointRow): Endpoint => ({
  id: row.id,
  interface: row.interface,
  regionId: row.region_id,
  serviceId: row.service_id,
  url: row.url,
  enabled: row.enabled === 1,
  extra: readExtra(row.extra),
})
const readRegion = (row: RegionRow): Region => ({
  id: row.id,
  description: row.description,
  parentId: row.parent_region_id,
  extra: readExtra(row.extra),
})

/** How the URLs begin that a new cloud's endpoints have. */
const ownUrl = '$(origin)s%'

export class Services {
  readonly #state: IdentityState
  readonly #yieldsCatalog: boolean

  constructor(state: IdentityState, { yieldsCatalog = false }: { yieldsCatalog?: boolean } = {}) {
    this.#state = state
    this.#yieldsCatalog = yieldsCatalog
  }

  list(search: URLSearchParams): CatalogService[] {
    const { where, values } = selection(search, serviceColumns)
    return this.#state.db
      .prepare<ServiceRow>(`SELECT * FROM service s WHERE ${where} ORDER BY s.type, s.id`)
      .all(...values)
      .map(readService)
  }

  /** @throws {CloudError} `not-found`. */
  get(id: string): CatalogService {
    const row = this.#state.db.prepare<ServiceRow>('SELECT * FROM service WHERE id = ?').get(id)
    if (!row) throw notFound(`Could not find service: ${id.slice(0, 64)}.`)
    return readService(row)
  }

  create({ type, enabled = true, extra }: { type: string; enabled?: boolean; extra: Extra }): CatalogService {
    const ours = this.#yieldsCatalog ? this.#untouched(type) : undefined
    if (ours !== undefined) return this.update(ours, { enabled, extra })
    const id = newId()
    this.#state.write(() =>
      this.#state.db
        .prepare('INSERT INTO service (id, type, enabled, extra) VALUES (?, ?, ?, ?)')
        .run(id, type, enabled ? 1 : 0, writeExtra(extra)),
    )
    return this.get(id)
  }

  /** The service of this type that a new cloud had, while all its endpoints are as they were. Identity must be found at any time. */
  #untouched(type: string): string | undefined {
    if (type === 'identity') return undefined
    return this.#state.db
      .prepare<{ id: string }>(
        `SELECT s.id FROM service s JOIN endpoint e ON e.service_id = s.id WHERE s.type = ? GROUP BY s.id HAVING min(e.url LIKE ?) = 1`,
      )
      .get(type, ownUrl)?.id
  }

  /** @throws {CloudError} `not-found`. */
  update(id: string, { type, enabled, extra }: { type?: string; enabled?: boolean; extra: Extra }): CatalogService {
    const old = this.get(id)
    this.#state.write(() =>
      this.#state.db
        .prepare('UPDATE service SET type = ?, enabled = ?, extra = ? WHERE id = ?')
        .run(type ?? old.type, (enabled ?? old.enabled) ? 1 : 0, writeExtra({ ...old.extra, ...extra }), id),
    )
    return this.get(id)
  }

  /** Takes its endpoints along. @throws {CloudError} `not-found`. */
  delete(id: string): void {
    this.get(id)
    this.#state.write(() => this.#state.db.prepare('DELETE FROM service WHERE id = ?').run(id))
  }

  endpoints(search: URLSearchParams): Endpoint[] {
    const { where, values } = selection(search, endpointColumns)
    return this.#state.db
      .prepare<EndpointRow>(`SELECT * FROM endpoint e WHERE ${where} ORDER BY e.service_id, e.id`)
      .all(...values)
      .map(readEndpoint)
  }

  /** @throws {CloudError} `not-found`. */
  endpoint(id: string): Endpoint {
    const row = this.#state.db.prepare<EndpointRow>('SELECT * FROM endpoint WHERE id = ?').get(id)
    if (!row) throw notFound(`Could not find endpoint: ${id.slice(0, 64)}.`)
    return readEndpoint(row)
  }

  /** @throws {CloudError} `not-found` for the service, `invalid` for region or URL. */
  createEndpoint(given: Omit<Endpoint, 'id'>): Endpoint {
    this.#checkEndpoint(given)
    const id = newId()
    this.#state.write(() => {
      if (this.#yieldsCatalog)
        this.#state.db
          .prepare('DELETE FROM endpoint WHERE service_id = ? AND interface = ? AND region_id IS ? AND url LIKE ?')
          .run(given.serviceId, given.interface, given.regionId, ownUrl)
      this.#state.db
        .prepare('INSERT INTO endpoint (id, interface, region_id, service_id, url, enabled, extra) VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(id, given.interface, given.regionId, given.serviceId, given.url, given.enabled ? 1 : 0, writeExtra(given.extra))
    })
    return this.endpoint(id)
  }

  /** @throws {CloudError} `not-found` for endpoint or service, `invalid` for region or URL. */
  updateEndpoint(id: string, change: Partial<Omit<Endpoint, 'id'>>): Endpoint {
    const old = this.endpoint(id)
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
    const next: Endpoint = { ...old, ...given, extra: { ...old.extra, ...change.extra } }
    this.#checkEndpoint(next)
    this.#state.write(() =>
      this.#state.db
        .prepare('UPDATE endpoint SET interface = ?, region_id = ?, service_id = ?, url = ?, enabled = ?, extra = ? WHERE id = ?')
        .run(next.interface, next.regionId, next.serviceId, next.url, next.enabled ? 1 : 0, writeExtra(next.extra), id),
    )
    return this.endpoint(id)
  }

  /** @throws {CloudError} `not-found`. */
  deleteEndpoint(id: string): void {
    this.endpoint(id)
    this.#state.write(() => this.#state.db.prepare('DELETE FROM endpoint WHERE id = ?').run(id))
  }

  #checkEndpoint({ serviceId, regionId, url }: Pick<Endpoint, 'serviceId' | 'regionId' | 'url'>): void {
    this.get(serviceId)
    if (regionId !== null && !this.findRegion(regionId)) throw invalid(`Region ID not found: ${regionId}`)
    if (!hasKnownPlaceholders(url)) throw invalid(`Malformed endpoint URL (${url.slice(0, 200)}): it holds an unknown placeholder.`)
  }

  regions(search: URLSearchParams): Region[] {
    const { where, values } = selection(search, regionColumns)
    return this.#state.db
      .prepare<RegionRow>(`SELECT * FROM region r WHERE ${where} ORDER BY r.id`)
      .all(...values)
      .map(readRegion)
  }

  findRegion(id: string): Region | null {
    const row = this.#state.db.prepare<RegionRow>('SELECT * FROM region WHERE id = ?').get(id)
    return row ? readRegion(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  region(id: string): Region {
    const found = this.findRegion(id)
    if (!found) throw notFound(`Could not find region: ${id.slice(0, 255)}.`)
    return found
  }

  /** @throws {CloudError} `conflict` for a taken id, `not-found` for the parent. */
  createRegion({ id = newId(), description, parentId, extra }: Partial<Region>): Region {
    if (parentId) this.region(parentId)
    this.#state.write(
      () =>
        this.#state.db
          .prepare('INSERT INTO region (id, description, parent_region_id, extra) VALUES (?, ?, ?, ?)')
          .run(id, description ?? '', parentId ?? null, writeExtra(extra ?? {})),
      `Conflict occurred attempting to store region - Duplicate ID, ${id}..`,
    )
    return this.region(id)
  }

  /** @throws {CloudError} `not-found` for region or parent, `invalid` for a circle. */
  updateRegion(id: string, change: Partial<Omit<Region, 'id'>>): Region {
    const old = this.region(id)
    const parentId = change.parentId === undefined ? old.parentId : change.parentId
    const seen = new Set([id])
    for (let above = parentId; above !== null; above = this.region(above).parentId) {
      if (seen.has(above)) throw invalid('A region cannot be its own ancestor.')
      seen.add(above)
    }
    this.#state.write(() =>
      this.#state.db
        .prepare('UPDATE region SET description = ?, parent_region_id = ?, extra = ? WHERE id = ?')
        .run(change.description ?? old.description, parentId, writeExtra({ ...old.extra, ...change.extra }), id),
    )
    return this.region(id)
  }

  /** @throws {CloudError} `not-found`; `forbidden` while regions or endpoints are in it. */
  deleteRegion(id: string): void {
    this.region(id)
    const { db } = this.#state
    const used = db.prepare('SELECT 1 FROM endpoint WHERE region_id = ? UNION SELECT 1 FROM region WHERE parent_region_id = ?').get(id, id)
    if (used !== undefined) throw forbidden(`Unable to delete region ${id} because it or its child regions have associated endpoints.`)
    this.#state.write(() => db.prepare('DELETE FROM region WHERE id = ?').run(id))
  }
}
