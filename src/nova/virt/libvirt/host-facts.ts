/**
 * What libvirt says about its machine, read once a connection: who runs QEMU, which machines and processors there are.
 *
 * Whether KVM works is not among it: libvirt lists KVM also where guests hang. See kvm-probe.ts.
 *
 * @see https://libvirt.org/formatcaps.html
 */
import { XMLParser } from 'fast-xml-parser'

export type HostFacts = {
  readonly arch: string
  /** `kvm`, `qemu`, `test`: what domains may be of, for the host's own architecture. */
  readonly domainTypes: readonly string[]
  readonly emulator: string | null
  readonly cpu: {
    readonly model: string
    readonly vendor: string
    readonly features: readonly string[]
    readonly topology: { readonly cells: number; readonly sockets: number; readonly cores: number; readonly threads: number }
  }
  /** Who QEMU runs as; null when libvirt doesn't say, which is where it isn't privileged. */
  readonly runsAs: { readonly uid: number; readonly gid: number } | null
}

const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '@', parseTagValue: false, processEntities: true })

type Node = { [key: string]: Node | Node[] | string | undefined }

const nodes = (value: Node | Node[] | string | undefined): Node[] =>
  value === undefined || value === '' ? [] : Array.isArray(value) ? value : [typeof value === 'string' ? { '#text': value } : value]
const at = (node: Node | undefined, ...path: string[]): Node | undefined =>
  path.reduce<Node | undefined>((found, key) => (found ? nodes(found[key])[0] : undefined), node)
const textAt = (node: Node | undefined, ...path: string[]): string | undefined => {
  const last = path.at(-1) ?? ''
  const parent = at(node, ...path.slice(0, -1))
  const value = parent?.[last]
  if (typeof value === 'string') return value
  const inner = Array.isArray(value) ? value[0] : value
  return typeof inner === 'string' ? inner : typeof inner?.['#text'] === 'string' ? inner['#text'] : undefined
}

/** @throws {Error} when it is no XML */
export function parseXml(xml: string): Node {
  return parser.parse(xml) as Node
}

export function readCapabilities(xml: string): HostFacts {
  const root = at(parseXml(xml), 'capabilities')
  const cpu = at(root, 'host', 'cpu')
  const arch = textAt(cpu, 'arch') ?? (process.arch === 'arm64' ? 'aarch64' : 'x86_64')
  const guest = nodes(root?.guest)
    .filter((each) => textAt(each, 'os_type') === 'hvm')
    .map((each) => at(each, 'arch'))
    .find((each) => each?.['@name'] === arch)
  const topology = at(cpu, 'topology')
  const number = (value: string | undefined, otherwise: number) => (value !== undefined && Number(value) > 0 ? Number(value) : otherwise)
  const dac = nodes(at(root, 'host')?.secmodel).find((each) => textAt(each, 'model') === 'dac')
  const label = nodes(dac?.baselabel).map((each) => each['#text'])[0]
  const ids = typeof label === 'string' ? /^\+(\d+):\+(\d+)$/.exec(label) : null
  return {
    arch,
    domainTypes: nodes(guest?.domain).flatMap((each) => (typeof each['@type'] === 'string' ? [each['@type']] : [])),
    emulator: textAt(guest, 'emulator') ?? null,
    cpu: {
      model: textAt(cpu, 'model') ?? 'unknown',
      vendor: textAt(cpu, 'vendor') ?? 'unknown',
      features: nodes(cpu?.feature).flatMap((each) => (typeof each['@name'] === 'string' ? [each['@name']] : [])),
      topology: {
        cells: number(at(root, 'host', 'topology', 'cells')?.['@num'] as string | undefined, 1),
        sockets: number(topology?.['@sockets'] as string | undefined, 1),
        cores: number(topology?.['@cores'] as string | undefined, 1),
        threads: number(topology?.['@threads'] as string | undefined, 1),
      },
    },
    runsAs: ids ? { uid: Number(ids[1]), gid: Number(ids[2]) } : null,
  }
}

/** Whether domain capabilities name SPICE among the kinds of graphics. @see https://libvirt.org/formatdomaincaps.html */
export const offersSpice = (xml: string): boolean =>
  xml.split('<graphics ')[1]?.split('</graphics>')[0]?.includes('<value>spice</value>') ?? false

/** What our own description says in a domain's XML, or null when it isn't of this cloud. */
export function readOwner(domainXml: string): { cloud: string; name: string } | null {
  const instance = at(parseXml(domainXml), 'domain', 'metadata', 'minicloud:instance')
  const cloud = textAt(instance, 'minicloud:cloud')
  const name = textAt(instance, 'minicloud:name')
  return cloud !== undefined && name !== undefined ? { cloud, name } : null
}
