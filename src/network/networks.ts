/** Networks. `shared` ones and external ones are seen by every project; only admins make them. */
import { unavailable } from '../base/errors.ts'
import { networkInUse, networkNotFound } from './errors.ts'
import { deletePortRow } from './ports.ts'
import { checkQuota } from './quotas.ts'
import { bit, change, drop, insert, type NetworkRow, newStandard, rowOf, type Store } from './store.ts'
import { deleteSubnet } from './subnets.ts'

export type NewNetwork = {
  project_id: string
  name: string
  description: string
  tags?: string[]
  admin_state_up: boolean
  mtu: number | null
  shared: boolean
  external: boolean
  is_default: boolean
  port_security_enabled: boolean
  physical_network: string | null
  network_type: string | null
  segmentation_id: number | null
}

/** Conntrack zones are 16 bits, so a cloud has at most this many networks. */
const lastZone = 65_535

function freeZone(store: Store): number {
  const top = store.db.prepare<{ zone: number | null }>('SELECT max(zone) AS zone FROM networks').get()?.zone ?? 0
  if (top < lastZone) return top + 1
  const gap = store.db
    .prepare<{ zone: number }>(
      `SELECT zone + 1 AS zone FROM networks n WHERE zone < ${lastZone} AND NOT EXISTS (SELECT 1 FROM networks o WHERE o.zone = n.zone + 1) ORDER BY zone LIMIT 1`,
    )
    .get()
  if (!gap) throw unavailable(`The host cannot tell more than ${lastZone} networks apart.`, { type: 'NoNetworkAvailable' })
  return gap.zone
}

/** @throws {CloudError} `over-quota`. */
export function createNetwork(store: Store, given: NewNetwork): NetworkRow {
  return store.db.transaction(() => {
    checkQuota(store, given.project_id, 'network')
    return insert(store, 'networks', {
      ...newStandard(store, given),
      status: 'ACTIVE',
      admin_state_up: bit(given.admin_state_up),
      mtu: given.mtu ?? store.mtu,
      shared: bit(given.shared),
      external: bit(given.external),
      is_default: bit(given.is_default),
      port_security_enabled: bit(given.port_security_enabled),
      network_type: given.network_type ?? (given.external ? 'flat' : 'local'),
      physical_network: given.physical_network ?? (given.external ? 'public' : null),
      segmentation_id: given.segmentation_id,
      zone: freeZone(store),
    })
  })
}

export function updateNetwork(store: Store, id: string, changes: Partial<NetworkRow>): void {
  store.db.transaction(() => {
    change(store, 'networks', id, changes)
    store.touchNetwork(id)
  })
}

/**
 * Deletes the network with its subnets and the ports that the service itself made there.
 * @throws {CloudError} `not-found`; `conflict` while others' ports are on it.
 */
export function deleteNetwork(store: Store, id: string): void {
  store.db.transaction(() => {
    if (!rowOf(store, 'networks', id)) throw networkNotFound(id)
    const { db } = store
    if (db.prepare("SELECT 1 FROM ports WHERE network_id = ? AND device_owner <> 'network:dhcp' LIMIT 1").get(id)) throw networkInUse(id)
    for (const port of db.prepare<{ id: string }>('SELECT id FROM ports WHERE network_id = ?').all(id)) deletePortRow(store, port.id)
    for (const subnet of db.prepare<{ id: string }>('SELECT id FROM subnets WHERE network_id = ?').all(id)) deleteSubnet(store, subnet.id)
    drop(store, 'networks', id)
    store.networkGone(id)
  })
}
