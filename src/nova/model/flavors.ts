/**
 * Flavors: what a server is made of. Sizes are MiB and GiB, whatever the columns are called.
 *
 * An instance keeps a copy of its flavor (embedded-flavors.ts), so a flavor may be deleted while servers of it live.
 *
 * @see https://docs.openstack.org/nova/latest/user/flavors.html
 */
import { conflict, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'

export type Flavor = {
  readonly id: number
  /** What clients call it: `1`, `m1.tiny` or a uuid. */
  readonly flavorId: string
  readonly name: string
  readonly vcpus: number
  readonly memoryMib: number
  readonly rootGib: number
  readonly ephemeralGib: number
  readonly swapMib: number
  readonly rxtxFactor: number
  readonly disabled: boolean
  readonly isPublic: boolean
  readonly description: string | null
  readonly extraSpecs: Readonly<Record<string, string>>
}

export type NewFlavor = Omit<Flavor, 'id' | 'disabled'>
/** Whose eyes: private flavors are seen by the projects they were granted to, and by administrators. */
export type FlavorViewer = { projectId: string | null; isAdmin: boolean }

export type FlavorRow = {
  id: number
  flavorid: string
  name: string
  vcpus: number
  memory_mb: number
  root_gb: number
  ephemeral_gb: number
  swap: number
  rxtx_factor: number
  disabled: number
  is_public: number
  description: string | null
  extra_specs: string | null
}

const select = `SELECT f.id, f.flavorid, f.name, f.vcpus, f.memory_mb, f.root_gb, f.ephemeral_gb, f.swap, f.rxtx_factor, f.disabled, f.is_public, f.description,
  (SELECT json_group_object(s.key, s.value) FROM flavor_extra_specs s WHERE s.flavor_id = f.id) AS extra_specs FROM flavors f`
const visible =
  '(@isAdmin = 1 OR f.is_public = 1 OR EXISTS (SELECT 1 FROM flavor_projects p WHERE p.flavor_id = f.id AND p.project_id = @projectId))'

export const toFlavor = (row: FlavorRow): Flavor => ({
  id: row.id,
  flavorId: row.flavorid,
  name: row.name,
  vcpus: row.vcpus,
  memoryMib: row.memory_mb,
  rootGib: row.root_gb,
  ephemeralGib: row.ephemeral_gb,
  swapMib: row.swap,
  rxtxFactor: row.rxtx_factor,
  disabled: row.disabled === 1,
  isPublic: row.is_public === 1,
  description: row.description,
  extraSpecs: JSON.parse(row.extra_specs ?? '{}') as Record<string, string>,
})

const viewerOf = ({ projectId, isAdmin }: FlavorViewer) => ({ projectId, isAdmin: isAdmin ? 1 : 0 })

export class Flavors {
  readonly #db: Ground['db']
  readonly #clock: Ground['clock']

  constructor({ db, clock }: Pick<Ground, 'db' | 'clock'>) {
    this.#db = db
    this.#clock = clock
  }

  find(flavorId: string, viewer: FlavorViewer): Flavor | null {
    const row = this.#db.prepare<FlavorRow>(`${select} WHERE f.flavorid = @flavorId AND ${visible}`).get({ flavorId, ...viewerOf(viewer) })
    return row ? toFlavor(row) : null
  }

  /** @throws {CloudError} `not-found`. */
  get(flavorId: string, viewer: FlavorViewer): Flavor {
    const found = this.find(flavorId, viewer)
    if (!found) throw notFound(`Flavor ${flavorId} could not be found.`)
    return found
  }

  /** All that the viewer sees, by flavorid. There are few flavors: filters and paging work on the answer. */
  list(viewer: FlavorViewer): Flavor[] {
    return this.#db.prepare<FlavorRow>(`${select} WHERE ${visible} ORDER BY f.flavorid`).all(viewerOf(viewer)).map(toFlavor)
  }

  /** @throws {CloudError} `conflict` when the name or the id is taken. */
  create(flavor: NewFlavor): Flavor {
    return this.#db.transaction(() => {
      const taken = this.#db
        .prepare<{ flavorid: string }>('SELECT flavorid FROM flavors WHERE flavorid = ? OR name = ?')
        .get(flavor.flavorId, flavor.name)
      if (taken) {
        throw conflict(
          taken.flavorid === flavor.flavorId
            ? `Flavor with ID ${flavor.flavorId} already exists.`
            : `Flavor with name ${flavor.name} already exists.`,
        )
      }
      const { lastInsertRowid } = this.#db
        .prepare(
          `INSERT INTO flavors (created_at, flavorid, name, vcpus, memory_mb, root_gb, ephemeral_gb, swap, rxtx_factor, disabled, is_public, description)
           VALUES (@now, @flavorId, @name, @vcpus, @memoryMib, @rootGib, @ephemeralGib, @swapMib, @rxtxFactor, 0, @public, @description)`,
        )
        .run({ ...flavor, extraSpecs: null, isPublic: null, now: this.#clock.text(), public: flavor.isPublic ? 1 : 0 })
      this.setExtraSpecs(Number(lastInsertRowid), flavor.extraSpecs)
      return this.get(flavor.flavorId, { projectId: null, isAdmin: true })
    })
  }

  describe(id: number, description: string | null): void {
    this.#db.prepare('UPDATE flavors SET description = ?, updated_at = ? WHERE id = ?').run(description, this.#clock.text(), id)
  }

  remove(id: number): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM flavor_extra_specs WHERE flavor_id = ?').run(id)
      this.#db.prepare('DELETE FROM flavor_projects WHERE flavor_id = ?').run(id)
      this.#db.prepare('DELETE FROM flavors WHERE id = ?').run(id)
    })
  }

  /** Adds and changes; what is not named stays. */
  setExtraSpecs(id: number, specs: Readonly<Record<string, string>>): void {
    this.#db.transaction(() => {
      for (const [key, value] of Object.entries(specs)) {
        this.#db
          .prepare(
            'INSERT INTO flavor_extra_specs (created_at, flavor_id, key, value) VALUES (@now, @id, @key, @value) ON CONFLICT (flavor_id, key) DO UPDATE SET value = @value, updated_at = @now',
          )
          .run({ id, key, value, now: this.#clock.text() })
      }
    })
  }

  removeExtraSpec(id: number, key: string): boolean {
    return this.#db.prepare('DELETE FROM flavor_extra_specs WHERE flavor_id = ? AND key = ?').run(id, key).changes > 0
  }

  /** The projects that a private flavor was granted to. */
  access(id: number): string[] {
    return this.#db
      .prepare<{ project_id: string }>('SELECT project_id FROM flavor_projects WHERE flavor_id = ? ORDER BY project_id')
      .all(id)
      .map((row) => row.project_id)
  }

  /** @throws {CloudError} `conflict` when it has been granted already. */
  grant(flavor: Flavor, projectId: string): void {
    if (this.access(flavor.id).includes(projectId))
      throw conflict(`Flavor access already exists for flavor ${flavor.flavorId} and project ${projectId} combination.`)
    this.#db
      .prepare('INSERT INTO flavor_projects (created_at, flavor_id, project_id) VALUES (?, ?, ?)')
      .run(this.#clock.text(), flavor.id, projectId)
  }

  /** @throws {CloudError} `not-found` when it was not granted. */
  revoke(flavor: Flavor, projectId: string): void {
    const { changes } = this.#db.prepare('DELETE FROM flavor_projects WHERE flavor_id = ? AND project_id = ?').run(flavor.id, projectId)
    if (changes === 0) throw notFound(`Flavor access not found for ${flavor.flavorId} / ${projectId} combination.`)
  }
}

const mibPerGib = 1024

/** What a server of this flavor claims in placement. */
export function resourcesOf(flavor: Flavor): Record<string, number> {
  const disk = flavor.rootGib + flavor.ephemeralGib + Math.ceil(flavor.swapMib / mibPerGib)
  const wanted: Record<string, number> = { VCPU: flavor.vcpus, MEMORY_MB: flavor.memoryMib, DISK_GB: disk }
  const extra = specsOf(flavor, 'resources').filter(({ value }) => /^\d{1,15}$/.test(value))
  for (const { group, name, value } of extra) if (group === '') wanted[name] = Number(value)
  for (const { group, name, value } of extra) if (group !== '') wanted[name] = (wanted[name] ?? 0) + Number(value)
  return Object.fromEntries(Object.entries(wanted).filter(([, amount]) => amount > 0))
}

/** Traits that a flavor requires or forbids by `trait:NAME=required|forbidden`, in a group or not: a host is one provider. */
export function traitsOf(flavor: Flavor): { required: string[]; forbidden: string[] } {
  const traits = specsOf(flavor, 'trait')
  const named = (word: string) => [...new Set(traits.flatMap(({ name, value }) => (value === word ? [name] : [])))]
  return { required: named('required'), forbidden: named('forbidden') }
}

/** The groups of `resources1:…` and the like that want anything. */
export const groupedSpecs = (flavor: Flavor): string[] => [
  ...new Set(specsOf(flavor, 'resources').flatMap(({ group, value }) => (group !== '' && Number(value) > 0 ? [group] : []))),
]

/** `resources_GROUP:NAME=value`, read. */
function specsOf({ extraSpecs }: Flavor, word: 'resources' | 'trait'): { group: string; name: string; value: string }[] {
  const pattern = new RegExp(`^${word}([a-zA-Z0-9_-]{0,64}):([A-Z0-9_]+)$`)
  return Object.entries(extraSpecs).flatMap(([key, value]) => {
    const [, group, name] = pattern.exec(key) ?? []
    return group === undefined || name === undefined ? [] : [{ group, name, value }]
  })
}
