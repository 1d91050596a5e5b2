import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NetworkPlan, PortPlan, RulePlan } from '../driver.ts'
import { InvalidPlan } from '../errors.ts'
import { makeNames } from '../names.ts'
import { checkNetwork } from '../validate.ts'
import { dnsmasqArguments, dnsmasqFiles, dnsmasqPaths } from './dnsmasq-files.ts'
import { linkLocal, ruleStatement } from './port-rules.ts'
import { changeTables, networkRules, noRules, replaceTables, zoneOf } from './tables.ts'

const id = '00000000-0000-4000-8000-000000000001'
const base: RulePlan = {
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  portMin: null,
  portMax: null,
  remoteCidr: null,
  remoteIps: null,
}
const port: PortPlan = {
  id,
  mac: 'fa:16:3e:00:00:01',
  fixedIps: [{ subnetId: id, ip: '10.0.0.5' }],
  hostname: 'web1',
  tap: 'tap00000000-00',
  mark: 7,
  adminStateUp: true,
  portSecurity: true,
  allowedAddressPairs: [],
  rules: [base],
}
const network = (ports: PortPlan[]): NetworkPlan => ({ id, mtu: 1450, zone: 3, subnets: [], ports, dnsDomain: '' })
const names = makeNames('mc')
const rulesOf = (...ports: PortPlan[]) => networkRules(names, 'mc', network(ports))

describe('a rule as a statement', () => {
  it.each<[Partial<RulePlan>, string | null]>([
    [{}, 'meta nfproto ipv4 accept'],
    [{ ethertype: 'IPv6' }, 'meta nfproto ipv6 accept'],
    [{ protocol: 'tcp', portMin: 22, portMax: 22 }, 'meta nfproto ipv4 meta l4proto 6 th dport 22-22 accept'],
    [{ protocol: '17', portMin: 5, portMax: 9 }, 'meta nfproto ipv4 meta l4proto 17 th dport 5-9 accept'],
    [{ protocol: 'tcp' }, 'meta nfproto ipv4 meta l4proto 6 accept'],
    [{ protocol: '0' }, 'meta nfproto ipv4 accept'],
    [{ protocol: 'icmp', portMin: 8, portMax: 0 }, 'meta nfproto ipv4 meta l4proto 1 icmp type 8 icmp code 0 accept'],
    [{ protocol: 'icmp', portMin: 8 }, 'meta nfproto ipv4 meta l4proto 1 icmp type 8 accept'],
    [{ protocol: 'icmp', ethertype: 'IPv6' }, 'meta nfproto ipv6 meta l4proto 58 accept'],
    [{ protocol: 'gre', portMin: 1, portMax: 2 }, 'meta nfproto ipv4 meta l4proto 47 accept'],
    [{ remoteCidr: '10.0.0.0/8' }, 'ip saddr { 10.0.0.0/8 } accept'],
    [{ remoteCidr: '10.0.0.0/8', direction: 'egress' }, 'ip daddr { 10.0.0.0/8 } accept'],
    [{ remoteCidr: '0.0.0.0/0' }, 'meta nfproto ipv4 accept'],
    [{ remoteIps: ['10.0.0.1', '10.0.0.1', 'fd00::1'] }, 'ip saddr { 10.0.0.1 } accept'],
    [{ remoteIps: ['10.0.0.1', 'fd00::1'], ethertype: 'IPv6' }, 'ip6 saddr { fd00::1 } accept'],
    [{ remoteIps: [] }, null],
    [{ remoteIps: ['fd00::1'] }, null],
  ])('%j', (changes, expected) => expect(ruleStatement({ ...base, ...changes })).toBe(expected))

  it('knows the link-local address that a guest makes from its MAC', () => {
    expect(linkLocal('fa:16:3e:00:00:01')).toBe('fe80::f816:3eff:fe00:0001')
  })
})

describe('transactions', () => {
  const other = { ...port, id: id.replace('1', '2'), tap: 'tap00000000-01', mark: 8 }

  it('are empty when nothing differs', () => {
    expect(changeTables(names, rulesOf(port), rulesOf(port))).toBe('')
  })

  it('touch the port that changed and no other', () => {
    const text = changeTables(names, rulesOf(port, other), rulesOf(port, { ...other, rules: [] }))
    expect(text.split('\n')[0]).toBe('flush chain inet mc_mc in_tap00000000-01')
    expect(text).not.toContain('tap00000000-00')
    expect(text).not.toContain('table')
  })

  it('take a port out of the maps before its chains', () => {
    const lines = changeTables(names, rulesOf(port, other), rulesOf(port)).split('\n')
    expect(lines).toContain('delete element inet mc_mc egress { 65544 }')
    expect(lines.findLastIndex((line) => line.startsWith('delete element'))).toBeLessThan(
      lines.findIndex((line) => line.startsWith('delete chain')),
    )
    expect(lines.filter((line) => line.startsWith('delete chain'))).toHaveLength(4)
  })

  it('begin anew by deleting the tables, in one piece', () => {
    expect(
      replaceTables(names, [rulesOf(port)])
        .split('\n')
        .slice(0, 2),
    ).toEqual(['add table bridge mc_mc', 'delete table bridge mc_mc'])
    expect(changeTables(names, noRules(), rulesOf(port))).not.toContain('delete table')
  })

  it('keep conntrack zones in range and apart by cloud', () => {
    for (const zone of [1, 40_000, 65_535]) expect(zoneOf('mc', zone)).toBeGreaterThanOrEqual(1)
    for (const zone of [1, 40_000, 65_535]) expect(zoneOf('mc', zone)).toBeLessThanOrEqual(65_535)
    expect(zoneOf('mc', 1)).not.toBe(zoneOf('mb', 1))
    expect(new Set([1, 2, 65_535].map((zone) => zoneOf('mc', zone))).size).toBe(3)
  })
})

describe('hostile text', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.constantFrom('a\nb', '10.0.0.1\nflush ruleset', '10.0.0.1 accept', '{', '"', '1; drop', 'x,y', 'x #', '10.0.0.1%eth0', '::1%\n'),
  )

  it('is refused, or leaves nothing of itself but the characters of its kind', () => {
    const at = fc.constantFrom('mac', 'ip', 'hostname', 'tap', 'pair', 'remote', 'protocol', 'option', 'domain')
    fc.assert(
      fc.property(at, nasty, (where, text) => {
        const bad: PortPlan = {
          ...port,
          ...(where === 'mac' && { mac: text }),
          ...(where === 'ip' && { fixedIps: [{ subnetId: id, ip: text }] }),
          ...(where === 'hostname' && { hostname: text }),
          ...(where === 'tap' && { tap: text }),
          ...(where === 'pair' && { allowedAddressPairs: [{ mac: port.mac, ip: text }] }),
          ...(where === 'remote' && { rules: [{ ...base, remoteIps: [text] }] }),
          ...(where === 'protocol' && { rules: [{ ...base, protocol: text }] }),
          ...(where === 'option' && { dhcpOptions: [{ name: text, value: text, ipVersion: 4 }] }),
        }
        const plan = { ...network([bad]), dnsDomain: where === 'domain' ? text : '' }
        try {
          checkNetwork(plan)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidPlan)
          return
        }
        const innocent = networkRules(names, 'mc', network([port]))
        const rules = networkRules(names, 'mc', plan)
        expect([...rules.chains.keys()]).toEqual([...innocent.chains.keys()])
        for (const statement of [...rules.chains.values()].flat()) expect(statement).toMatch(/^[a-z0-9 .:/!={},@_-]+$/)
        const files = dnsmasqFiles(plan)
        expect(files.hosts.split('\n').length).toBeLessThanOrEqual(2)
        expect(files.names.split('\n').length).toBeLessThanOrEqual(2)
        expect(files.options.split('\n').length).toBeLessThanOrEqual(2)
        for (const argument of dnsmasqArguments(plan, dnsmasqPaths('/run/x'), [], false)) expect(argument).toMatch(/^[\x21-\x7e]+$/)
      }),
      { numRuns: 500 },
    )
  })
})
