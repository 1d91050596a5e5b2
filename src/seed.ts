/**
 * What a newcomer needs, made at the first start: roles, projects and users, flavors, networks, and an image that boots.
 * Each part is made if it never was; what its owner deletes stays deleted.
 */
import { createReadStream, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from './base/errors.ts'
import type { Ground } from './base/ground.ts'
import type { Credentials } from './credentials.ts'
import type { DriverKind } from './drivers.ts'
import { defaultCatalog, type Identity } from './identity/index.ts'
import { type Images, loadTiny } from './image/index.ts'
import type { Networks } from './network/index.ts'
import type { Model, NewFlavor } from './nova/model/index.ts'

export type SeedDeps = {
  ground: Ground
  identity: Identity
  networks: Networks
  images: Images
  model: Model
  credentials: Credentials
  driverKind: DriverKind
  /** What an installation guide has its reader make is left to him. */
  followsGuide: boolean
  say: (line: string) => void
}

/** id, name, virtual CPUs, memory in MiB, root disk in GiB: the sizes that DevStack made customary. */
const sizes = [
  ['42', 'm1.nano', 1, 192, 1],
  ['84', 'm1.micro', 1, 256, 1],
  ['1', 'm1.tiny', 1, 512, 1],
  ['2', 'm1.small', 1, 2048, 20],
  ['3', 'm1.medium', 2, 4096, 40],
  ['4', 'm1.large', 4, 8192, 80],
  ['5', 'm1.xlarge', 8, 16_384, 160],
] as const

const flavors: readonly NewFlavor[] = sizes.map(([flavorId, name, vcpus, memoryMib, rootGib]) => ({
  flavorId,
  name,
  vcpus,
  memoryMib,
  rootGib,
  ephemeralGib: 0,
  swapMib: 0,
  rxtxFactor: 1,
  isPublic: true,
  description: null,
  extraSpecs: {},
}))

export async function seedCloud(deps: SeedDeps): Promise<void> {
  const { identity, networks, model, credentials, followsGuide } = deps
  const { adminPassword: password, demoPassword, region } = credentials
  const { adminProjectId, demoProjectId } = await identity.bootstrap({
    password,
    demoPassword,
    region,
    catalog: defaultCatalog,
    followsGuide,
  })
  networks.bootstrap({ adminProjectId, demoProjectId })
  once(deps, 'flavors', () => {
    for (const flavor of flavors) if (!model.flavors.find(flavor.flavorId, { projectId: null, isAdmin: true })) model.flavors.create(flavor)
  })
  await seedImage(deps, adminProjectId)
}

const marks = 'seeded'

function isSeeded({ ground }: SeedDeps, name: string): boolean {
  return existsSync(join(ground.dataDir, `${marks}-${name}`))
}

function mark({ ground }: SeedDeps, name: string): void {
  writeFileSync(join(ground.dataDir, `${marks}-${name}`), '')
}

function once(deps: SeedDeps, name: string, make: () => void): void {
  if (isSeeded(deps, name)) return
  make()
  mark(deps, name)
}

/** A real hypervisor gets an image that boots; pretended guests get a blank one of the same name. */
async function seedImage(deps: SeedDeps, ownerId: string): Promise<void> {
  const { images, driverKind, say, ground } = deps
  const name = `tiny-${driverKind}`
  if (isSeeded(deps, name)) return
  const properties = { hw_qemu_guest_agent: 'yes' }
  const image = { name: 'tiny', containerFormat: 'bare', visibility: 'public' as const, ownerId, properties }
  if (driverKind === 'fake') {
    if (images.findByName('tiny').length === 0) await images.add({ ...image, diskFormat: 'raw', minDiskGib: 0, minRamMib: 0 }, blank())
    mark(deps, name)
    return
  }
  const { buildTiny, tinyPrerequisites } = await loadTiny()
  const { ok, missing } = await tinyPrerequisites()
  if (!ok) {
    for (const { what, remedy } of missing)
      ground.log.warn(`the image tiny cannot be built: ${what} (remedy: ${remedy}, or: minicloud image add FILE)`)
    return
  }
  say('Building the image tiny from Debian packages (some seconds, once) …')
  try {
    const tiny = await buildTiny({
      workDir: join(ground.dataDir, 'tmp'),
      outDir: join(ground.dataDir, 'tiny'),
      log: (line) => ground.log.debug(line),
    })
    const made = { diskFormat: 'qcow2' as const, minDiskGib: tiny.minDiskGib, minRamMib: tiny.minRamMib }
    await images.add({ ...image, ...made }, createReadStream(tiny.disk))
    mark(deps, name)
  } catch (error) {
    ground.log.error({ err: error }, `the image tiny was not built: ${messageOf(error)}; bring another with: minicloud image add FILE`)
  }
}

const blankBytes = 1024 * 1024

async function* blank(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(blankBytes)
}
