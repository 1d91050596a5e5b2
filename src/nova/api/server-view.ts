/**
 * Servers on the wire, by microversion. Which attributes only administrators see is asked once a request, not per field.
 *
 * @see https://docs.openstack.org/api-ref/compute/#show-server-details
 */
import { createHash } from 'node:crypto'
import { isoMicros, isoSeconds } from '../../base/clock.ts'
import { field, type RequestContext, version, view } from '../../base/http/index.ts'
import { remembered } from '../../base/remembered.ts'
import { type Instance, type InstanceSummary, Instances, type Service, showsProgress, statusOf } from '../model/index.ts'
import { bookmark, links } from './links.ts'

export type ShownServer = {
  readonly instance: Instance
  /** The host attributes that only administrators see. */
  readonly attributes: boolean
  /** What the service on the server's host says of itself; `null` when the caller may not know. */
  readonly hostStatus: string | null
  readonly isDetailOfOne: boolean
  /** The uuid of its group, for 2.71. */
  readonly serverGroup: string | null
}

const sha224 = remembered((text: string) => createHash('sha224').update(text).digest('hex'))

/** SHA-224 of project and host: tells a project which of its servers share a host, and not which host. */
export const hostIdOf = ({ projectId, host }: Pick<Instance, 'projectId' | 'host'>): string =>
  host === null ? '' : sha224(projectId + host)

export type Address = { version: 4 | 6; addr: string; 'OS-EXT-IPS:type'?: string; 'OS-EXT-IPS-MAC:mac_addr'?: string }

/** Addresses by network label; nothing while the server is being built. */
export function addressesOf({ ports, vmState }: Instance, isExtended = true): Record<string, Address[]> {
  if (vmState === 'building') return {}
  const byLabel: Record<string, Address[]> = {}
  for (const port of ports) {
    byLabel[port.label] ??= []
    const list = byLabel[port.label] as Address[]
    const add = (addr: string, ipVersion: 4 | 6, type: string) =>
      list.push({ version: ipVersion, addr, ...(isExtended ? { 'OS-EXT-IPS:type': type, 'OS-EXT-IPS-MAC:mac_addr': port.mac } : {}) })
    for (const subnet of port.subnets) {
      for (const { address, floating } of subnet.ips) {
        add(address, subnet.version, 'fixed')
        for (const ip of floating) add(ip, 4, 'floating')
      }
    }
  }
  return byLabel
}

function flavorOf({ flavor }: Instance, context: RequestContext): unknown {
  if (context.version < version('2.47'))
    return { id: flavor.flavorId, links: [bookmark(context, `/flavors/${encodeURIComponent(flavor.flavorId)}`)] }
  return {
    vcpus: flavor.vcpus,
    ram: flavor.memoryMib,
    disk: flavor.rootGib,
    ephemeral: flavor.ephemeralGib,
    swap: flavor.swapMib,
    original_name: flavor.name,
    extra_specs: flavor.extraSpecs,
  }
}

function imageOf({ instance }: ShownServer, context: RequestContext): unknown {
  if (instance.imageId === null) return ''
  const image = { id: instance.imageId, links: [bookmark(context, `/images/${instance.imageId}`)] }
  return context.version < version('2.98') ? image : { ...image, properties: instance.imageProperties }
}

/** Shown to those who may see its details: administrators, or anybody when the fault is not an internal one. */
function faultOf({ instance: { fault, vmState, deleted } }: ShownServer, context: RequestContext): unknown {
  if (!fault || !(vmState === 'error' || deleted)) return undefined
  const mayReadDetails = context.principal?.isAdmin === true || fault.code !== 500
  return {
    code: fault.code,
    created: isoSeconds(fault.created),
    message: fault.message,
    ...(mayReadDetails && fault.details ? { details: fault.details } : {}),
  }
}

const micros = (text: string | null): string | null => (text === null ? null : isoMicros(text))
const adminField = (of: (server: ShownServer) => unknown, since?: string) => {
  const get = (server: ShownServer) => (server.attributes ? of(server) : undefined)
  return since === undefined ? get : field(get, { since })
}
const statusText = ({ vmState, taskState, deleted }: Instance): string => statusOf({ vmState, taskState, deleted })

const common = {
  id: ({ instance }: ShownServer) => instance.uuid,
  name: ({ instance }: ShownServer) => instance.name,
  status: ({ instance }: ShownServer) => statusText(instance),
  tenant_id: ({ instance }: ShownServer) => instance.projectId,
  user_id: ({ instance }: ShownServer) => instance.userId,
  metadata: ({ instance }: ShownServer) => instance.metadata,
  hostId: ({ instance }: ShownServer) => hostIdOf(instance),
  image: imageOf,
  flavor: ({ instance }: ShownServer, context: RequestContext) => flavorOf(instance, context),
  created: ({ instance }: ShownServer) => isoSeconds(instance.createdAt),
  updated: ({ instance }: ShownServer) => isoSeconds(instance.updatedAt ?? instance.createdAt),
  accessIPv4: ({ instance }: ShownServer) => instance.accessIpV4 ?? '',
  accessIPv6: ({ instance }: ShownServer) => instance.accessIpV6 ?? '',
  links: ({ instance }: ShownServer, context: RequestContext) => links(context, `/servers/${instance.uuid}`),
  'OS-DCF:diskConfig': ({ instance }: ShownServer) => (instance.autoDiskConfig ? 'AUTO' : 'MANUAL'),
  progress: ({ instance }: ShownServer) => (showsProgress.has(statusText(instance)) ? instance.progress : undefined),
  fault: faultOf,
  locked: field(({ instance }: ShownServer) => instance.locked, { since: '2.9' }),
  description: field(({ instance }: ShownServer) => instance.description, { since: '2.19' }),
  tags: field(({ instance }: ShownServer) => instance.tags, { since: '2.26' }),
  trusted_image_certificates: field(({ instance }: ShownServer) => instance.trustedCerts, { since: '2.63' }),
  server_groups: field(
    ({ isDetailOfOne, serverGroup }: ShownServer) => (isDetailOfOne ? (serverGroup === null ? [] : [serverGroup]) : undefined),
    { since: '2.71' },
  ),
  locked_reason: field(({ instance }: ShownServer) => instance.lockedReason, { since: '2.73' }),
}

/** Beyond the common fields; update and rebuild show these from 2.75 on. */
const extended = {
  addresses: ({ instance }: ShownServer) => addressesOf(instance),
  'OS-EXT-AZ:availability_zone': ({ instance }: ShownServer) => instance.availabilityZone ?? '',
  config_drive: ({ instance }: ShownServer) => (instance.configDrive ? 'True' : ''),
  key_name: ({ instance }: ShownServer) => instance.keyName,
  'OS-SRV-USG:launched_at': ({ instance }: ShownServer) => micros(instance.launchedAt),
  'OS-SRV-USG:terminated_at': ({ instance }: ShownServer) => micros(instance.terminatedAt),
  'OS-EXT-SRV-ATTR:host': adminField(({ instance }) => instance.host),
  'OS-EXT-SRV-ATTR:instance_name': adminField(({ instance }) => Instances.hypervisorName(instance)),
  'OS-EXT-SRV-ATTR:hypervisor_hostname': adminField(({ instance }) => instance.node),
  'OS-EXT-SRV-ATTR:reservation_id': adminField(({ instance }) => instance.reservationId, '2.3'),
  'OS-EXT-SRV-ATTR:launch_index': adminField(({ instance }) => instance.launchIndex, '2.3'),
  'OS-EXT-SRV-ATTR:hostname': field(
    ({ instance, attributes }: ShownServer, context: RequestContext) =>
      attributes || context.version >= version('2.90') ? instance.hostname : undefined,
    { since: '2.3' },
  ),
  'OS-EXT-SRV-ATTR:kernel_id': adminField(({ instance }) => instance.kernelId ?? '', '2.3'),
  'OS-EXT-SRV-ATTR:ramdisk_id': adminField(({ instance }) => instance.ramdiskId ?? '', '2.3'),
  'OS-EXT-SRV-ATTR:root_device_name': adminField(({ instance }) => instance.rootDeviceName, '2.3'),
  'OS-EXT-SRV-ATTR:user_data': adminField(({ instance }) => instance.userData, '2.3'),
  'OS-EXT-STS:task_state': ({ instance }: ShownServer) => instance.taskState,
  'OS-EXT-STS:vm_state': ({ instance }: ShownServer) => instance.vmState,
  'OS-EXT-STS:power_state': ({ instance }: ShownServer) => instance.powerState,
  'os-extended-volumes:volumes_attached': () => [],
  host_status: field(({ hostStatus }: ShownServer) => hostStatus ?? undefined, { since: '2.16' }),
  security_groups: ({ instance }: ShownServer) => groupsOf(instance),
  pinned_availability_zone: field(({ instance }: ShownServer) => instance.spec.pinnedZone, { since: '2.96' }),
  scheduler_hints: field(({ instance }: ShownServer) => hintsOf(instance), { since: '2.100' }),
}

/** Every hint is a list, also one that was given as a single text. */
const hintsOf = ({ spec }: Instance): Record<string, unknown[]> =>
  Object.fromEntries(Object.entries(spec.schedulerHints).map(([name, hint]) => [name, Array.isArray(hint) ? hint : [hint]]))

/** Names without repetition; nothing for a server without ports. */
function groupsOf({ ports }: Instance): { name: string }[] | undefined {
  const names = new Set<string>()
  for (const { securityGroups } of ports) for (const { name } of securityGroups) names.add(name)
  return names.size === 0 ? undefined : Array.from(names, (name) => ({ name }))
}

export const serverView = view<ShownServer>({ ...common, ...extended })

const written = new WeakMap<Instance, { readonly seen: string; readonly json: Uint8Array }>()

/**
 * {@link serverView} as JSON. An instance that nobody has written to is the same object (see `InstanceReader`), and its JSON is kept
 * with it for whoever sees the same of it next: the answer follows from the instance and from what is compared here.
 */
export function serverJson(server: ShownServer, context: RequestContext): Uint8Array {
  const { instance, attributes, hostStatus, isDetailOfOne, serverGroup } = server
  const { version: at, baseUrl, projectPrefix, principal } = context
  const seen = `${at} ${baseUrl} ${projectPrefix} ${principal?.isAdmin} ${attributes} ${hostStatus} ${isDetailOfOne} ${serverGroup}`
  const known = written.get(instance)
  if (known?.seen === seen) return known.json
  const json = Buffer.from(JSON.stringify(serverView(server, context)))
  written.set(instance, { seen, json })
  return json
}

const shortView = view<ShownServer>({ ...common, addresses: ({ instance }) => addressesOf(instance, false) })

/** What an update answers: everything from 2.75 on, a shorter form before. */
export const updatedServerView = (server: ShownServer, context: RequestContext): unknown =>
  context.version < version('2.75') ? shortView(server, context) : serverView(server, context)

const rebuiltOnly = {
  key_name: field(({ instance }: ShownServer) => instance.keyName, { since: '2.54' }),
  user_data: field(({ instance }: ShownServer) => instance.userData, { since: '2.57' }),
}
const shortRebuiltView = view<ShownServer>({ ...common, ...rebuiltOnly, addresses: ({ instance }) => addressesOf(instance, false) })
const { 'OS-EXT-SRV-ATTR:user_data': _, ...extendedWithoutUserData } = extended
const longRebuiltView = view<ShownServer>({ ...common, ...extendedWithoutUserData, ...rebuiltOnly })

/** What a rebuild answers: user data under a name of its own, and the rest as {@link updatedServerView}. */
export const rebuiltServerView = (server: ShownServer, context: RequestContext) =>
  context.version < version('2.75') ? shortRebuiltView(server, context) : longRebuiltView(server, context)

/** The form of `GET /servers`. */
export const serverSummary = view<InstanceSummary>({
  id: ({ uuid }) => uuid,
  name: ({ name }) => name,
  links: ({ uuid }, context) => links(context, `/servers/${uuid}`),
})

/** What 2.16 calls a host's status. @see https://docs.openstack.org/api-ref/compute/#servers-servers */
export function hostStatusOf(instance: Instance, service: Service | undefined): string {
  if (instance.host === null) return ''
  if (!service) return 'UNKNOWN'
  if (service.disabled) return 'MAINTENANCE'
  return service.up ? 'UP' : service.forcedDown ? 'DOWN' : 'UNKNOWN'
}
