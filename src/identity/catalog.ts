/**
 * Services, their endpoints and the regions these stand in; and the catalog that tokens carry.
 *
 * Our own endpoints are stored as `$(origin)s/compute/v2.1`: the URLs follow the host that the client used. `$(project_id)s` and
 * `$(user_id)s` (also in Keystone's older spelling with `%`) stand for the token's own.
 */
import type { IdentityState } from './state.ts'
import { readExtra } from './state.ts'

export type ServiceRow = { id: string; type: string | null; enabled: number; extra: string | null }
export type EndpointRow = {
  id: string
  interface: string
  region_id: string | null
  service_id: string
  url: string
  enabled: number
  extra: string | null
}
export type CatalogEntry = {
  id: string
  type: string
  name: string
  endpoints: { id: string; interface: string; region_id: string | null; region: string | null; url: string }[]
}
/** As things, and as the JSON text that every token carries. */
export type RenderedCatalog = { readonly entries: CatalogEntry[]; readonly json: string }
export type UrlValues = { origin: string; projectId: string | null; userId: string | null }

const placeholder = /[$%]\(([a-z_]{1,32})\)s/g

/** The URL with its placeholders filled in, or `null` when the token has no value for one, as an unscoped one has no project. */
export function renderUrl(url: string, { origin, projectId, userId }: UrlValues): string | null {
  if (!url.includes('(')) return url
  const values: Record<string, string | null> = { origin, project_id: projectId, tenant_id: projectId, user_id: userId }
  let complete = true
  const rendered = url.replace(placeholder, (whole, name: string) => {
    const value = values[name]
    if (value === undefined || value === null) complete = false
    return value ?? whole
  })
  return complete ? rendered : null
}

/** Whether every placeholder of a URL is one that we fill in. */
export const hasKnownPlaceholders = (url: string): boolean =>
  [...url.matchAll(/[$%]\(([^)]*)\)(.?)/g)].every(
    ([, name = '', kind]) => kind === 's' && ['origin', 'project_id', 'tenant_id', 'user_id'].includes(name),
  )

export class Catalog {
  readonly #rows
  readonly #rendered
  readonly #isPersonal

  constructor(state: IdentityState) {
    const { db } = state
    this.#rendered = state.rememberBy<RenderedCatalog>(1000)
    this.#rows = state.remember(() => {
      const services = db.prepare<ServiceRow>('SELECT id, type, enabled, extra FROM service WHERE enabled = 1 ORDER BY type, id').all()
      const endpoints = db
        .prepare<EndpointRow>(
          'SELECT id, interface, region_id, service_id, url, enabled, extra FROM endpoint WHERE enabled = 1 ORDER BY id',
        )
        .all()
      return services.map((service) => ({
        id: service.id,
        type: service.type ?? '',
        name: String(readExtra(service.extra).name ?? ''),
        endpoints: endpoints.filter(({ service_id }) => service_id === service.id),
      }))
    })
    this.#isPersonal = state.remember(() => this.#rows().some(({ endpoints }) => endpoints.some(({ url }) => /_id\)s/.test(url))))
  }

  /** What a token's holder sees; the same for everybody as long as no URL holds an id. */
  render(values: UrlValues): RenderedCatalog {
    const key = this.#isPersonal() ? `${values.origin} ${values.projectId} ${values.userId}` : values.origin
    return this.#rendered(key, () => {
      const entries = this.#rows().map(({ endpoints, ...service }) => ({
        ...service,
        endpoints: endpoints.flatMap(({ id, interface: kind, region_id, url }) => {
          const rendered = renderUrl(url, values)
          return rendered === null ? [] : [{ id, interface: kind, region_id, region: region_id, url: rendered }]
        }),
      }))
      return { entries, json: JSON.stringify(entries) }
    })
  }
}
