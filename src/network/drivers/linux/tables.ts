/**
 * The cloud's nftables tables as data, and the transactions that take the host from one set of rules to another.
 *
 * A frame of a network's bridge passes `bridge pre` (which device? anti-spoofing), `inet zone` (conntrack zone of the network), `inet egress`, then
 * `bridge forw` (to which device?) and `inet ingress`. What comes from, or goes to, a device that is neither a planned tap nor a leg of the cloud's own
 * carries no mark and is dropped: a tap without rules is a dead tap, not an open one. What is addressed to the host itself is dropped in `inet local`, or
 * as one that the host should route, in `inet ingress`: a bridge joins guests, and is no door to the host. Only devices with the cloud's prefix are ever looked at, so that other
 * traffic of the host, and another cloud that uses the same marks, go their way.
 *
 * Every transaction is one run of `nft -f -`: all of it holds, or nothing.
 */
import type { NetworkPlan } from '../driver.ts'
import { hash, type Names } from '../names.ts'
import { addPortRules, markFromOwn, markToOwn } from './port-rules.ts'

/** Chains by `family name`, and entries of the maps by `family map key`. */
export type Ruleset = { chains: Map<string, string[]>; elements: Map<string, string> }

export const noRules = (): Ruleset => ({ chains: new Map(), elements: new Map() })

export function networkRules(names: Names, prefix: string, network: NetworkPlan): Ruleset {
  const rules = noRules()
  const bridge = names.bridge(network.id)
  rules.chains.set(`inet zone_${bridge}`, [`ct zone set ${zoneOf(prefix, network.zone)}`])
  rules.elements.set(`inet zones "${bridge}"`, `jump zone_${bridge}`)
  for (const port of network.ports) addPortRules(rules, port)
  return rules
}

/** Zones are per host, plans are per cloud: two clouds that count from 1 should not meet. */
export function zoneOf(prefix: string, zone: number): number {
  return ((zone + Number.parseInt(hash(prefix).slice(0, 4), 16)) % 65_535) + 1
}

/** Statements for the chain `inet external`: what leaves the external bridge for elsewhere takes the host's address. */
export function externalRules(names: Names, masquerade: boolean): Ruleset {
  const rules = noRules()
  if (masquerade) rules.chains.set('inet external', [`iifname "${names.anyExternal}" oifname != "${names.anyExternal}" masquerade`])
  else rules.chains.set('inet external', [])
  return rules
}

/** Tables, maps and base chains; may be repeated, and says nothing about networks. Needs nothing that an older kernel's table bridge lacks (ct, ibrname). */
function skeleton(names: Names): string[] {
  const bridge = `bridge ${names.table}`
  const inet = `inet ${names.table}`
  return [
    `add table ${bridge}`,
    `add map ${bridge} from { type ifname : verdict; }`,
    `add map ${bridge} to { type ifname : verdict; }`,
    `add chain ${bridge} pre { type filter hook prerouting priority -310; }`,
    `flush chain ${bridge} pre`,
    `add rule ${bridge} pre iifname "${names.anyDevice}" meta mark set ${markFromOwn}`,
    `add rule ${bridge} pre iifname vmap @from`,
    `add chain ${bridge} forw { type filter hook forward priority -210; }`,
    `flush chain ${bridge} forw`,
    `add rule ${bridge} forw oifname "${names.anyDevice}" meta mark set ${markToOwn}`,
    `add rule ${bridge} forw oifname vmap @to`,
    `add table ${inet}`,
    `add map ${inet} zones { type ifname : verdict; }`,
    `add map ${inet} egress { type mark : verdict; }`,
    `add map ${inet} ingress { type mark : verdict; }`,
    `add chain ${inet} zone { type filter hook prerouting priority -300; }`,
    `flush chain ${inet} zone`,
    `add rule ${inet} zone iifname vmap @zones`,
    `add chain ${inet} egress { type filter hook prerouting priority -140; }`,
    `flush chain ${inet} egress`,
    `add rule ${inet} egress iifname != "${names.anyBridge}" return`,
    `add rule ${inet} egress meta mark vmap @egress`,
    `add rule ${inet} egress meta mark != ${markFromOwn} counter drop`,
    `add chain ${inet} ingress { type filter hook forward priority 0; }`,
    `flush chain ${inet} ingress`,
    `add rule ${inet} ingress iifname != "${names.anyBridge}" return`,
    `add rule ${inet} ingress meta mark vmap @ingress`,
    `add rule ${inet} ingress meta mark != ${markToOwn} counter drop`,
    `add chain ${inet} local { type filter hook input priority 0; }`,
    `flush chain ${inet} local`,
    `add rule ${inet} local iifname "${names.anyBridge}" counter drop`,
    `add chain ${inet} external`,
    `add chain ${inet} nat { type nat hook postrouting priority 100; }`,
    `flush chain ${inet} nat`,
    `add rule ${inet} nat jump external`,
  ]
}

/** Replaces whatever the tables held. */
export function replaceTables(names: Names, all: Iterable<Ruleset>): string {
  const merged = noRules()
  for (const rules of all) {
    for (const [name, statements] of rules.chains) merged.chains.set(name, statements)
    for (const [name, verdict] of rules.elements) merged.elements.set(name, verdict)
  }
  return text([...removeTables(names), ...skeleton(names), ...difference(names, noRules(), merged)])
}

/** Changes only what differs; the tables themselves are made when they are missing. Empty when nothing differs. */
export function changeTables(names: Names, before: Ruleset, after: Ruleset): string {
  const lines = difference(names, before, after)
  return lines.length === 0 ? '' : text([...(before.chains.size === 0 ? skeleton(names) : []), ...lines])
}

export function dropTables(names: Names): string {
  return text(removeTables(names))
}

/** Adding first makes the deletion safe where there is none. */
function removeTables(names: Names): string[] {
  return ['bridge', 'inet'].flatMap((family) => [`add table ${family} ${names.table}`, `delete table ${family} ${names.table}`])
}

function difference(names: Names, before: Ruleset, after: Ruleset): string[] {
  const at = (key: string) => {
    const space = key.indexOf(' ')
    return `${key.slice(0, space)} ${names.table} ${key.slice(space + 1)}`
  }
  const lines: string[] = []
  for (const name of after.chains.keys()) if (!before.chains.has(name)) lines.push(`add chain ${at(name)}`)
  for (const [name, statements] of after.chains) {
    if (same(before.chains.get(name), statements)) continue
    lines.push(`flush chain ${at(name)}`, ...statements.map((statement) => `add rule ${at(name)} ${statement}`))
  }
  for (const [key, verdict] of before.elements) if (after.elements.get(key) !== verdict) lines.push(`delete element ${at(element(key))}`)
  for (const [key, verdict] of after.elements)
    if (before.elements.get(key) !== verdict) lines.push(`add element ${at(element(key, verdict))}`)
  const gone = [...before.chains.keys()].filter((name) => !after.chains.has(name))
  return [...lines, ...gone.map((name) => `flush chain ${at(name)}`), ...gone.map((name) => `delete chain ${at(name)}`)]
}

/** `inet egress 65537` → `inet egress { 65537 : jump … }`. */
function element(key: string, verdict?: string): string {
  const [family, map, value] = key.split(' ')
  return `${family} ${map} { ${value}${verdict ? ` : ${verdict}` : ''} }`
}

function same(before: string[] | undefined, after: string[]): boolean {
  return before !== undefined && before.length === after.length && before.every((statement, i) => statement === after[i])
}

function text(lines: string[]): string {
  return `${lines.join('\n')}\n`
}
