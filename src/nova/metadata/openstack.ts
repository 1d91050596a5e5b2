/**
 * OpenStack's own tree: JSON documents that gain keys from version to version.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#openstack-format-metadata
 */
import { randomBytes } from 'node:crypto'
import { deviceEntries } from './devices.ts'
import type { Guest } from './guests.ts'
import { networkData } from './network-data.ts'
import { since } from './versions.ts'

/** What is told on a config drive alone. */
export type DriveExtras = {
  readonly adminPass: string | null
  /** Where injected files go, and where on the drive their content lies. */
  readonly files: readonly { readonly path: string; readonly content_path: string }[]
}

export type Document = { readonly body: string | Uint8Array; readonly isJson: boolean }

const seedBytes = 512

/** The names in a version's folder, in the order in which guests have always seen them. */
export function folder(guest: Guest, version: string): string[] {
  const names: [name: string, since: string, isThere?: boolean][] = [
    ['meta_data.json', since.base],
    ['user_data', since.base, guest.userData !== null],
    ['password', since.seedAndPassword],
    ['vendor_data.json', since.vendorData],
    ['network_data.json', since.projectAndNetwork],
    ['vendor_data2.json', since.vendorData2],
  ]
  return names.filter(([, first, isThere = true]) => isThere && version >= first).map(([name]) => name)
}

/**
 * One of a version's documents; null where there is none. `password` is no document.
 * @throws {CloudError} `unavailable` when dynamic vendor data failed and may not.
 */
export async function document(guest: Guest, version: string, name: string, extras?: DriveExtras): Promise<Document | null> {
  const json = (value: unknown, isJson = true): Document => ({ body: JSON.stringify(value), isJson })
  switch (name) {
    case 'meta_data.json':
      return json(metaData(guest, version, extras))
    case 'user_data':
      return guest.userData === null ? null : { body: guest.userData, isJson: false }
    case 'vendor_data.json':
      return version < since.vendorData || !guest.vendor.hasStatic ? null : json(await guest.vendor.fixed())
    case 'network_data.json':
      // Clients have always been sent this one as text/plain.
      return json(networkData(guest.instance.ports), false)
    case 'vendor_data2.json':
      return version < since.vendorData2 ? null : json(await guest.vendor.all())
    default:
      return null
  }
}

function metaData(guest: Guest, version: string, extras: DriveExtras = { adminPass: null, files: [] }): Record<string, unknown> {
  const { instance, keys } = guest
  const from = (first: string, entries: () => Record<string, unknown>) => (version < first ? {} : entries())
  return {
    uuid: instance.uuid,
    ...(extras.adminPass !== null && { admin_pass: extras.adminPass }),
    ...(Object.keys(instance.metadata).length > 0 && { meta: instance.metadata }),
    ...(extras.files.length > 0 && { files: extras.files }),
    ...(keys.length > 0 && {
      public_keys: Object.fromEntries(keys.map((key) => [key.name, key.publicKey])),
      keys: keys.map((key) => ({ name: key.name, type: key.type, data: key.publicKey })),
    }),
    hostname: guest.hostname,
    name: instance.name,
    launch_index: instance.launchIndex,
    availability_zone: instance.availabilityZone,
    ...from(since.seedAndPassword, () => ({ random_seed: randomBytes(seedBytes).toString('base64') })),
    ...from(since.projectAndNetwork, () => ({ project_id: instance.projectId })),
    ...from(since.devices, () => ({ devices: deviceEntries(guest.devices, version) })),
    ...from(since.dedicatedCpus, () => ({ dedicated_cpus: [] })),
  }
}
