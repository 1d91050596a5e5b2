/**
 * Security groups and anti-spoofing as text of nftables, pure: from a port's plan to four chains.
 *
 * `from_<tap>` and `to_<tap>` (table bridge) see each frame as it leaves and enters the guest: the first drops borrowed addresses, both leave a mark that
 * says which port and which way, since the IP hooks behind the bridge no longer see the tap. `out_<tap>` and `in_<tap>` (table inet) find the port again by
 * that mark and hold the stateful rules. The table's other chains, and what happens to devices that no plan names, are in `tables.ts`.
 *
 * @see https://wiki.nftables.org/wiki-nftables/index.php/Bridge_filtering
 */
import ipaddr from 'ipaddr.js'
import type { PortPlan, RulePlan } from '../driver.ts'
import { protocolNumbers } from '../protocols.ts'
import type { Ruleset } from './tables.ts'

/** Marks of frames: from the guest of port n, to the guest of port n, from and to devices of the cloud's own. */
const markFrom = (port: { mark: number }) => 0x10000 + port.mark
const markTo = (port: { mark: number }) => 0x20000 + port.mark
export const markFromOwn = 0x30000
export const markToOwn = 0x40000

const metadataIp = '169.254.169.254'

/** Adds a port's chains, and the entries that lead to them, to a set of rules. */
export function addPortRules(rules: Ruleset, port: PortPlan): void {
  const chain = (family: string, way: string, statements: string[]) => rules.chains.set(`${family} ${way}_${port.tap}`, statements)
  const entry = (map: string, key: string, way: string) => rules.elements.set(`${map} ${key}`, `jump ${way}_${port.tap}`)

  chain('bridge', 'from', port.adminStateUp ? [`meta mark set ${markFrom(port)}`, ...antiSpoofing(port)] : ['drop'])
  entry('bridge from', `"${port.tap}"`, 'from')
  chain('bridge', 'to', port.adminStateUp ? [`meta mark set ${markTo(port)}`] : ['drop'])
  entry('bridge to', `"${port.tap}"`, 'to')

  chain('inet', 'out', port.portSecurity ? [...egressBasics, ...allowed(port, 'egress'), 'counter drop'] : ['accept'])
  entry('inet egress', `${markFrom(port)}`, 'out')
  chain('inet', 'in', port.portSecurity ? [...ingressBasics, ...allowed(port, 'ingress'), 'counter drop'] : ['accept'])
  entry('inet ingress', `${markTo(port)}`, 'in')
}

const egressBasics = [
  'ct state established,related accept',
  'udp sport 68 udp dport 67 accept',
  'udp sport 546 udp dport 547 accept',
  'icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept',
]

const ingressBasics = [
  'ct state established,related accept',
  'udp sport 67 udp dport 68 accept',
  'udp sport 547 udp dport 546 accept',
  'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept',
]

/** Only the port's own addresses and those lent to it may leave, and the metadata service hears only the port's own. */
function antiSpoofing(port: PortPlan): string[] {
  const own = port.fixedIps.map((fixed) => fixed.ip)
  const ownV4 = own.filter((ip) => !ip.includes(':'))
  const statements = [`ip daddr ${metadataIp} ${ownV4.length > 0 ? `ip saddr != ${set(ownV4)} drop` : 'drop'}`]
  if (!port.portSecurity) return statements

  const lent = new Map<string, string[]>([[port.mac.toLowerCase(), own]])
  for (const pair of port.allowedAddressPairs) lent.set(pair.mac.toLowerCase(), [...(lent.get(pair.mac.toLowerCase()) ?? []), pair.ip])

  statements.push(
    `ether saddr != ${set([...lent.keys()])} drop`,
    'ether type != { ip, arp, ip6 } drop',
    'ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept',
    'udp sport { 67, 547 } drop',
    'icmpv6 type { nd-router-advert, nd-redirect } drop',
  )
  for (const [mac, ips] of lent) {
    const v4 = ips.filter((ip) => !ip.includes(':'))
    const v6 = [...ips.filter((ip) => ip.includes(':')), linkLocal(mac)]
    statements.push(
      `ether saddr ${mac} ${v4.length > 0 ? `ip saddr != ${set(v4)}` : 'ether type ip'} drop`,
      `ether saddr ${mac} arp saddr ether != ${mac} drop`,
      `ether saddr ${mac} arp saddr ip != ${set([...v4, '0.0.0.0'])} drop`,
      `ether saddr ${mac} ip6 saddr != ${set([...v6, '::'])} drop`,
      `ether saddr ${mac} icmpv6 type nd-neighbor-advert ${v6.map(advertisesOther).join(' ')} drop`,
    )
  }
  return statements
}

/** True of a neighbour advertisement whose target address (bytes 8 to 24 of the message) is not the given one; nft has no name for that field. */
function advertisesOther(ipOrCidr: string): string {
  const [ip = '', length = '128'] = ipOrCidr.split('/')
  const bits = Math.max(1, Number(length))
  const digits = ipaddr
    .parse(ip)
    .toByteArray()
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
  return `@th,64,${bits} != 0x${(BigInt(`0x${digits}`) >> BigInt(128 - bits)).toString(16)}`
}

function allowed(port: PortPlan, direction: RulePlan['direction']): string[] {
  const statements = port.rules.filter((rule) => rule.direction === direction).map(ruleStatement)
  return [...new Set(statements)].filter((statement) => statement !== null)
}

/** One rule as a statement; null when it can match nothing. */
export function ruleStatement(rule: RulePlan): string | null {
  const v6 = rule.ethertype === 'IPv6'
  const matches: string[] = []

  const remotes = rule.remoteIps?.filter((remote) => remote.includes(':') === v6) ?? (rule.remoteCidr === null ? null : [rule.remoteCidr])
  if (remotes?.length === 0) return null
  if (remotes === null || remotes.some((remote) => remote.endsWith('/0'))) matches.push(`meta nfproto ${v6 ? 'ipv6' : 'ipv4'}`)
  else matches.push(`${v6 ? 'ip6' : 'ip'} ${rule.direction === 'ingress' ? 'saddr' : 'daddr'} ${set(remotes)}`)

  const number = protocolNumber(rule.protocol, v6)
  if (number === null) return `${matches.join(' ')} accept`
  const low = rule.portMin ?? rule.portMax
  if (number === 1 || number === 58) {
    const icmp = number === 1 ? 'icmp' : 'icmpv6'
    matches.push(`meta l4proto ${number}`)
    if (rule.portMin !== null) matches.push(`${icmp} type ${rule.portMin & 0xff}`)
    if (rule.portMin !== null && rule.portMax !== null) matches.push(`${icmp} code ${rule.portMax & 0xff}`)
  } else {
    matches.push(`meta l4proto ${number}`)
    if (low !== null && withPorts.has(number)) matches.push(`th dport ${low}-${Math.max(low, rule.portMax ?? low)}`)
  }
  return `${matches.join(' ')} accept`
}

const withPorts = new Set([6, 17, 33, 132, 136])

/** Null for any. The name `icmp` means ICMPv6 in a rule for IPv6. */
function protocolNumber(protocol: string | null, v6: boolean): number | null {
  if (protocol === null) return null
  const number = /^\d+$/.test(protocol) ? Number(protocol) : (protocolNumbers[protocol] ?? null)
  if (number === 0) return null
  return v6 && number === 1 ? 58 : number
}

function set(values: string[]): string {
  return `{ ${[...new Set(values)].join(', ')} }`
}

/** The address that a guest makes from its MAC. @see https://www.rfc-editor.org/rfc/rfc4291#appendix-A */
export function linkLocal(mac: string): string {
  const [a = '0', b, c, d, e, f] = mac.split(':')
  const flipped = (Number.parseInt(a, 16) ^ 2).toString(16).padStart(2, '0')
  return `fe80::${flipped}${b}:${c}ff:fe${d}:${e}${f}`
}
