/**
 * From a checked body to what the conductor builds: finds flavor, image, key, networks and groups, and refuses what
 * cannot work before anything is written.
 */
import { conflict, forbidden, invalid, overQuota } from '../../base/errors.ts'
import { type Incoming, principalOf } from '../../base/http/index.ts'
import type { Image } from '../../image/index.ts'
import { computeConfig } from '../compute/index.ts'
import type { BuildRequest, RequestedNic } from '../conductor/index.ts'
import { booleanWord, type Flavor, glanceConfig, type InstanceDisk, type Limits, novaConfig, planDisks } from '../model/index.ts'
import { checkGuestWishes } from '../scheduler/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import type { ServerCreate } from './server-create.ts'

type Request = Incoming<ServerCreate, unknown>

const gib = 1024 ** 3
const maxHostname = 63
/** Servers of one request: where no quota ends it, a slip of the finger would keep everybody waiting. */
const mostAtOnce = 1000

/** @throws {CloudError} `invalid`, `forbidden`, `conflict` or `over-quota`, in Nova's words. */
export function planBuild(request: Request, nova: NovaApi): Omit<BuildRequest, 'adminPass'> {
  const { body, context } = request
  const viewer = viewerOf(context)
  if (body.minCount > body.maxCount) throw invalid('min_count must be <= max_count')
  if (body.minCount > mostAtOnce) throw invalid(`min_count must be <= ${mostAtOnce}`)
  const limits = nova.model.quotas.limitsFor(viewer.projectId ?? '', principalOf(context).userId)
  const { metadata_items: maxMetadata } = limits
  checkPersonality(body.personality, limits)
  if (maxMetadata >= 0 && Object.keys(body.metadata).length > maxMetadata)
    throw overQuota(`Maximum number of metadata items exceeds ${maxMetadata}`)

  const flavor = nova.model.flavors.find(body.flavorRef, viewer)
  if (!flavor || flavor.disabled) throw invalid(`Flavor ${body.flavorRef} could not be found.`)
  const { image, disks } = bootFrom(request, nova, flavor)
  const keypair = keypairFor(request, nova)
  const zone = zoneFor(request, nova)
  checkGroup(request, nova)
  const nics = nicsFor(request, nova)
  if (nics.length > 0 && nics.some(({ portId }) => portId !== null) && body.maxCount > 1)
    throw invalid(
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    )
  const securityGroupIds =
    body.securityGroups === null
      ? null
      : nova.networks.securityGroupsByNameOrId(viewer.projectId ?? '', body.securityGroups).map(({ id }) => id)
  const wantsDrive =
    body.configDrive ?? (nova.config.get(computeConfig).forceConfigDrive || image.properties.img_config_drive === 'mandatory')

  return {
    count: Math.min(body.maxCount, mostAtOnce),
    minCount: body.minCount,
    nics,
    securityGroupIds,
    imageProperties: image.properties,
    personality: body.personality.map(({ path, contents }) => ({ path, base64: contents })),
    server: {
      name: body.name,
      description: body.description,
      hostname: body.hostname ?? hostnameOf(body.name),
      imageId: image.id,
      kernelId: image.properties.kernel_id ?? null,
      ramdiskId: image.properties.ramdisk_id ?? null,
      keyName: keypair?.name ?? null,
      keyData: keypair?.publicKey ?? null,
      keyType: keypair?.type ?? null,
      flavor,
      userData: body.userData,
      configDrive: wantsDrive,
      accessIpV4: body.accessIpV4,
      accessIpV6: body.accessIpV6,
      autoDiskConfig: autoDiskConfigFor(body.autoDiskConfig, image),
      spec: {
        schedulerHints: body.hints,
        pinnedZone: zone.name,
        requestedHost: body.host ?? zone.host,
        requestedNode: body.node ?? zone.node,
        ...(zone.host !== null || zone.node !== null ? { isForced: true } : {}),
      },
      trustedCerts: body.trustedCerts,
      metadata: body.metadata,
      systemMetadata: { ...imageMetadata(image), boot_roles: principalOf(context).roles.join(',') },
      tags: body.tags,
      disks,
    },
  }
}

/** What the server boots, and its disks. @throws {CloudError} `invalid`; `forbidden` for who may not map disks. */
function bootFrom({ body, context, enforce, allows }: Request, nova: NovaApi, flavor: Flavor): { image: Image; disks: InstanceDisk[] } {
  const { imageRef, blockDevices: mapped, maxCount } = body
  if (mapped !== null) enforce('os_compute_api:servers:create:attach_volume')
  if (body.trustedCerts) enforce('os_compute_api:servers:create:trusted_certs')
  if (mapped === null && imageRef === '') throw invalid('Missing imageRef attribute')
  if (imageRef === '' && body.trustedCerts) throw invalid('Image certificate validation is not supported when booting from volume')
  if (maxCount > 1 && mapped?.some(({ source }) => source === 'volume'))
    throw invalid('Cannot attach one or more volumes to multiple instances')
  const image = imageRef === '' ? null : bootableImage(nova, imageRef, viewerOf(context), flavor)
  const { maxLocalBlockDevices: maxLocal } = nova.config.get(novaConfig)
  const disks = planDisks({ imageId: image?.id ?? null, bus: image?.properties.hw_disk_bus, flavor, mapped, maxLocal })
  if (!image) throw invalid('Missing imageRef attribute')
  if (flavor.rootGib === 0 && !allows('os_compute_api:servers:create:zero_disk_flavor'))
    throw forbidden('Only volume-backed servers are allowed for flavors with zero disk.')
  return { image, disks }
}

/** An image that a server of this flavor can start from. @throws {CloudError} `invalid`. */
export function bootableImage(nova: NovaApi, id: string, viewer: ReturnType<typeof viewerOf>, flavor: Flavor): Image {
  if (nova.config.get(glanceConfig).verifyGlanceSignatures)
    throw invalid(`The signature of image ${id} cannot be verified: this cloud has no key manager that holds its certificate.`)
  const image = nova.images.get(id, viewer)
  if (!image) throw invalid('Can not find requested image')
  if (image.status !== 'active') throw invalid(`Image ${id} is not active.`)
  if (!['', '[]'].includes(image.properties.block_device_mapping ?? ''))
    throw invalid(`Block Device Mapping is Invalid: image ${id} stands for volumes, and this cloud has no volume service.`)
  if (image.minRamMib > flavor.memoryMib) throw invalid("Flavor's memory is too small for requested image.")
  if (flavor.rootGib > 0) {
    const needed = Math.max(image.virtualSizeBytes ?? image.sizeBytes ?? 0, 0)
    if (needed > flavor.rootGib * gib)
      throw invalid(
        `Flavor's disk is too small for requested image. Flavor disk is ${flavor.rootGib * gib} bytes, image is ${needed} bytes.`,
      )
    if (image.minDiskGib > flavor.rootGib)
      throw invalid(`The requested image has a minimum disk of ${image.minDiskGib} GiB, the flavor has ${flavor.rootGib}.`)
  }
  checkGuestWishes(flavor, { name: image.name ?? '', properties: image.properties })
  return image
}

/** Whether the guest's partition follows its disk: as asked, else as the image says. @throws {CloudError} `invalid` where the image forbids it. */
function autoDiskConfigFor(asked: boolean | null, { id, properties }: Image): boolean {
  const told = properties.auto_disk_config?.trim().toLowerCase()
  if (asked && told === 'disabled') throw invalid(`Requested image ${id} has automatic disk resize disabled.`)
  return asked ?? (told !== undefined && booleanWord(told) === true)
}

function keypairFor({ body, context }: Request, nova: NovaApi) {
  if (body.keyName === null) return null
  const keypair = nova.model.keypairs.find(principalOf(context).userId, body.keyName)
  if (!keypair) throw invalid('Invalid key_name provided.')
  return keypair
}

/** @throws {CloudError} `invalid` when the hint names no group that the caller may use. */
function checkGroup({ body, context }: Request, nova: NovaApi): void {
  const { group } = body.hints
  if (group !== undefined && !nova.model.serverGroups.find(String(group), viewerOf(context)))
    throw invalid(`Instance group ${group} could not be found.`)
}

/** `zone`, or `zone:host:node` for those who may force a host. */
function zoneFor({ body, enforce }: Request, nova: NovaApi): { name: string | null; host: string | null; node: string | null } {
  if (body.host !== null || body.node !== null) enforce('compute:servers:create:requested_destination')
  const hosts = nova.model.hosts.nodes()
  if (body.host !== null && !hosts.some(({ host }) => host === body.host)) throw invalid(`Compute host ${body.host} could not be found.`)
  if (body.node !== null && !hosts.some(({ hypervisorHostname }) => hypervisorHostname === body.node))
    throw invalid(`Compute host ${body.node} could not be found.`)
  const [named = '', host = '', node = '', ...rest] = (body.availabilityZone ?? '').split(':')
  if (rest.length > 0) throw invalid('Invalid input received: Unable to parse availability_zone')
  const name = named || nova.config.get(novaConfig).defaultScheduleZone
  if (host !== '' || node !== '') enforce('os_compute_api:servers:create:forced_host')
  if (name !== '' && !nova.model.hosts.zones().some((zone) => zone.name === name && zone.name !== 'internal'))
    throw invalid('The requested availability zone is not available')
  return { name: name || null, host: host || null, node: node || null }
}

/** @throws {CloudError} `conflict` when no network was named and there are several. */
function nicsFor({ body, context, enforce, allows }: Request, nova: NovaApi): RequestedNic[] {
  const { projectId, isAdmin } = viewerOf(context)
  const { networks } = body
  if (networks === 'none') return []
  if (networks !== 'auto-or-none') enforce('os_compute_api:servers:create:attach_network')
  if (networks === 'auto' || networks === 'auto-or-none') {
    const usable = nova.networks.usableNetworks(projectId ?? '', isAdmin)
    if (usable.length > 1) throw conflict('Multiple possible networks found, use a Network ID to be more specific.')
    if (usable.length === 0 && networks === 'auto') throw invalid('No network is available to this project; create one, or ask for none.')
    return usable.map(({ id }) => ({ networkId: id, portId: null, fixedIp: null, tag: null }))
  }
  const known = new Map(
    nova.networks
      .usableNetworks(
        projectId ?? '',
        isAdmin,
        networks.flatMap(({ networkId }) => networkId ?? []),
      )
      .map((network) => [network.id, network]),
  )
  const ports = new Set<string>()
  for (const { networkId, portId } of networks) {
    if (portId !== null) {
      const port = nova.networks.port(portId, { projectId, isAdmin })
      if (!port) throw invalid(`Port ${portId} could not be found.`)
      if (port.deviceId !== '') throw conflict(`Port ${portId} is still in use.`)
      if (port.fixedIps.length === 0) throw invalid(`Port ${portId} requires a FixedIP in order to be used.`)
      if (ports.has(portId)) throw invalid(`Port ${portId} was given twice.`)
      ports.add(portId)
    } else if (networkId === null) throw invalid("Bad network format: missing 'uuid'")
    else {
      const network = known.get(networkId)
      if (!network) throw invalid(`Network ${networkId} could not be found.`)
      if (network.external && !network.shared && !allows('network:attach_external_network'))
        throw forbidden(`It is not allowed to create an interface on external network ${networkId}`)
      if (network.subnetIds.length === 0) throw invalid(`Network ${networkId} requires a subnet in order to boot instances on.`)
    }
  }
  return networks.map((nic) => ({ ...nic }))
}

/** A host name from a display name: letters, digits and dashes; what has none of them gets a name of its own. */
function hostnameOf(name: string): string {
  const label = name
    .normalize('NFKD')
    .replace(/[\s_.]+/g, '-')
    .replace(/[^A-Za-z0-9-]/g, '')
    .replace(/^-+|-+$/g, '')
    .toLowerCase()
    .slice(0, maxHostname)
    .replace(/-+$/, '')
  return label === '' ? 'server' : label
}

/** @throws {CloudError} `over-quota`, as Nova words each limit. */
export function checkPersonality(files: ServerCreate['personality'], limits: Limits): void {
  const exceeds = (value: number, limit: number) => limit >= 0 && value > limit
  if (exceeds(files.length, limits.injected_files)) throw overQuota('Personality file limit exceeded')
  for (const { path, contents } of files) {
    if (exceeds(path.length, limits.injected_file_path_bytes))
      throw overQuota(`Personality file path exceeds maximum ${limits.injected_file_path_bytes}`)
    if (exceeds(Buffer.byteLength(contents, 'base64'), limits.injected_file_content_bytes))
      throw overQuota(`Personality file content exceeds maximum ${limits.injected_file_content_bytes}`)
  }
}

/** The image's properties as they were at boot, in Nova's form. */
export function imageMetadata(image: Image): Record<string, string> {
  const entries = Object.entries(image.properties).filter(([, value]) => value.length <= 255)
  return {
    ...Object.fromEntries(entries.map(([key, value]) => [`image_${key}`, value])),
    image_min_ram: String(image.minRamMib),
    image_min_disk: String(image.minDiskGib),
    image_disk_format: image.diskFormat ?? '',
    image_container_format: image.containerFormat ?? '',
    image_base_image_ref: image.id,
  }
}
