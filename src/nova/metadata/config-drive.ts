/**
 * The same trees as files of a disk, for guests that ask no network. Written once, so what is told is as of that moment.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#config-drives
 */
import { ec2Tree } from './ec2.ts'
import type { Guest } from './guests.ts'
import { type DriveExtras, document } from './openstack.ts'
import { ec2Listing, ec2Version, openstackVersion, openstackVersions, since } from './versions.ts'

export type DriveFile = { path: string; data: Uint8Array }
/** A file that the user wants inside the guest, put there by software in it. */
export type InjectedFile = { readonly path: string; readonly data: Uint8Array }

export type DriveOptions = {
  readonly adminPass: string | null
  readonly injected: readonly InjectedFile[]
  /** EC2 versions left out. */
  readonly skip: readonly string[]
}

const documents = ['meta_data.json', 'user_data', 'vendor_data.json', 'vendor_data2.json']

/** @throws {CloudError} `unavailable` when dynamic vendor data failed and may not. */
export async function driveFiles(guest: Guest, { adminPass, injected, skip }: DriveOptions): Promise<DriveFile[]> {
  const contents = injected.map((file, i) => ({ ...file, name: String(i).padStart(4, '0') }))
  const extras: DriveExtras = { adminPass, files: contents.map(({ path, name }) => ({ path, content_path: `/content/${name}` })) }
  const files: DriveFile[] = []
  for (const word of ec2Listing()) {
    if (skip.includes(word)) continue
    const tree = ec2Tree(guest, ec2Version(word)!, null)
    files.push({ path: `ec2/${word}/meta-data.json`, data: Buffer.from(JSON.stringify(tree['meta-data'])) })
    if (guest.userData !== null) files.push({ path: `ec2/${word}/user-data`, data: guest.userData })
  }
  for (const word of [...openstackVersions, 'latest']) {
    const version = openstackVersion(word)!
    const names = version < since.projectAndNetwork ? documents : [...documents, 'network_data.json']
    for (const name of names) {
      const found = await document(guest, version, name, extras)
      if (found !== null) files.push({ path: `openstack/${word}/${name}`, data: Buffer.from(found.body) })
    }
  }
  for (const { name, data } of contents) files.push({ path: `openstack/content/${name}`, data })
  return files
}
