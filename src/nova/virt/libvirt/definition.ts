/**
 * A domain's definition as libvirt tells it, to be read and changed: addresses and what else libvirt has added stay as they are.
 *
 * @see https://libvirt.org/formatdomain.html
 */
import { XMLParser } from 'fast-xml-parser'
import { el, type Xml } from './xml.ts'

export type Element = { readonly tag: string; attributes: Record<string, string>; children: (Element | string)[] }

type Ordered = { ':@'?: Record<string, string>; '#text'?: string } & { [tag: string]: unknown }

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  processEntities: true,
  ignoreDeclaration: true,
})

/** @throws {Error} when it is no XML, or has no root */
export function parseElement(xml: string): Element {
  const root = elements(parser.parse(xml) as Ordered[]).find((each) => typeof each !== 'string')
  if (!root || typeof root === 'string') throw new Error('a document without a root element')
  return root
}

function elements(nodes: Ordered[]): (Element | string)[] {
  return nodes.map((node) => {
    if (typeof node['#text'] === 'string') return node['#text']
    const tag = Object.keys(node).find((key) => key !== ':@') ?? ''
    return { tag, attributes: node[':@'] ?? {}, children: elements(node[tag] as Ordered[]) }
  })
}

/** @throws {TypeError} when a value holds what XML cannot */
export function printElement(element: Element): string {
  return built(element).xml
}

const built = ({ tag, attributes, children }: Element): Xml =>
  el(
    tag,
    attributes,
    children.map((child) => (typeof child === 'string' ? child : built(child))),
  )

export const childrenOf = (element: Element | undefined, tag: string): Element[] =>
  element?.children.filter((child): child is Element => typeof child !== 'string' && child.tag === tag) ?? []

/** The first of each tag on the way. */
export const childOf = (element: Element | undefined, ...path: string[]): Element | undefined =>
  path.reduce<Element | undefined>((found, tag) => childrenOf(found, tag)[0], element)

export function removeChildren(element: Element | undefined, ...tags: string[]): void {
  if (element) element.children = element.children.filter((child) => typeof child === 'string' || !tags.includes(child.tag))
}

export const disksOf = (domain: Element): Element[] => childrenOf(childOf(domain, 'devices'), 'disk')
export const fileOf = (disk: Element): string | undefined => childOf(disk, 'source')?.attributes.file
export const targetOf = (disk: Element): string => childOf(disk, 'target')?.attributes.dev ?? ''
export const macOf = (nic: Element): string => childOf(nic, 'mac')?.attributes.address?.toLowerCase() ?? ''
export const nicsOf = (domain: Element): Element[] => childrenOf(childOf(domain, 'devices'), 'interface')

/** Where a running guest has its port for SPICE; `null` when it has none. */
export function spicePortOf(xml: string): { kind: 'tcp'; host: string; port: number; tlsPort?: number } | null {
  const graphics = childrenOf(childOf(parseElement(xml), 'devices'), 'graphics').find(({ attributes }) => attributes.type === 'spice')
  const [port, tlsPort] = [Number(graphics?.attributes.port), Number(graphics?.attributes.tlsPort)]
  const host = childOf(graphics, 'listen')?.attributes.address
  return host && port > 0 ? { kind: 'tcp', host, port, ...(tlsPort > 0 ? { tlsPort } : {}) } : null
}

/** Format and backing file of a disk, as we once wrote them. */
export function storedAs(disk: Element): { format: 'raw' | 'qcow2'; backing: { path: string; format: 'raw' | 'qcow2' } | null } {
  const format = (name: string | undefined) => (name === 'qcow2' ? 'qcow2' : 'raw')
  const below = childOf(disk, 'backingStore')
  const path = below && fileOf(below)
  return {
    format: format(childOf(disk, 'driver')?.attributes.type),
    backing: path === undefined ? null : { path, format: format(childOf(below, 'format')?.attributes.type) },
  }
}
