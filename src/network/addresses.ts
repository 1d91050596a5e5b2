/**
 * Addresses as numbers. A *key* is an address in hexadecimal of fixed width (8 digits for IPv4, 32 for IPv6), so that keys sort as addresses do.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4291 (EUI-64 interface identifiers: appendix A)
 */
import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type IpVersion = 4 | 6
export type Cidr = {
  readonly version: IpVersion
  readonly prefix: number
  readonly first: bigint
  readonly last: bigint
  /** Canonical: the network's address and the length. */
  readonly text: string
}

const widths = { 4: 8, 6: 32 } as const
const bits = { 4: 32, 6: 128 } as const

export const ipVersionOf = (text: string): IpVersion | null => (text.includes('%') ? null : ((isIP(text) || null) as IpVersion | null))

/** @throws {RangeError} for what is no address; ask {@link ipVersionOf} first. */
export function ipNumber(text: string): bigint {
  if (ipVersionOf(text) === null) throw new RangeError(`not an IP address: ${text}`)
  return ipaddr
    .parse(text)
    .toByteArray()
    .reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
}

export function ipText(number: bigint, version: IpVersion): string {
  const bytes = Buffer.from(number.toString(16).padStart(widths[version], '0'), 'hex')
  return ipaddr.fromByteArray([...bytes]).toString()
}

export const keyOf = (number: bigint, version: IpVersion): string => number.toString(16).padStart(widths[version], '0')
export const keyNumber = (key: string): bigint => BigInt(`0x${key}`)
const keyVersion = (key: string): IpVersion => (key.length === 8 ? 4 : 6)
export const keyText = (key: string): string => ipText(keyNumber(key), keyVersion(key))
export const nextKey = (key: string): string => keyOf(keyNumber(key) + 1n, keyVersion(key))
export const previousKey = (key: string): string => keyOf(keyNumber(key) - 1n, keyVersion(key))

/** The one way to write an address, so that texts can be compared. */
export const canonicalIp = (text: string): string => ipText(ipNumber(text), ipVersionOf(text) as IpVersion)

/** Null for what is no CIDR; host bits are cut off, as `text` tells. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length, ...rest] = text.split('/')
  const version = ipVersionOf(address)
  if (version === null || rest.length > 0 || length === undefined || !/^\d{1,3}$/.test(length) || Number(length) > bits[version])
    return null
  const prefix = Number(length)
  const size = 1n << BigInt(bits[version] - prefix)
  const first = (ipNumber(address) / size) * size
  return { version, prefix, first, last: first + size - 1n, text: `${ipText(first, version)}/${prefix}` }
}

export const contains = (cidr: Cidr, ip: string): boolean =>
  ipVersionOf(ip) === cidr.version && cidr.first <= ipNumber(ip) && ipNumber(ip) <= cidr.last
export const overlap = (one: Cidr, other: Cidr): boolean =>
  one.version === other.version && one.first <= other.last && other.first <= one.last

/** First and last address that a host may have: not the network's and, in IPv4, not the broadcast's; /31, /32 and /127, /128 have no such. */
export function usable({ version, prefix, first, last }: Cidr): { first: bigint; last: bigint } {
  if (prefix >= bits[version] - 1) return { first, last }
  return { first: first + 1n, last: version === 4 ? last - 1n : last }
}

/** The address that a host with this MAC gives itself in an IPv6 /64. */
export function eui64(cidr: Cidr, mac: string): string {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16))
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes
  const identifier = [a ^ 2, b, c, 0xff, 0xfe, d, e, f].reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)
  return ipText(cidr.first | identifier, 6)
}

/** Neutron's vendor part and three random bytes. */
export const randomMac = (): string => ['fa', '16', '3e', ...randomBytes(3).toString('hex').match(/../g)!].join(':')
