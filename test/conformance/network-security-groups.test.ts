/** Security groups and their rules over HTTP. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are read as they come
import { beforeEach, describe, expect, it } from 'vitest'
import type { TestApi } from '../support/api.ts'
import { networkCalls, startNetworks } from '../support/network.ts'

let api: TestApi
const cloud = (flags: Record<string, string> = {}): void => {
  api = startNetworks(flags).api
}
beforeEach(() => cloud())
const { call, make, netWithSubnet, errorOf } = networkCalls(() => api)

describe('security groups', () => {
  const group = () => make('security_group', { name: 'web' })
  it('begin with a default one, which stays', async () => {
    const { body } = await call('GET', '/security-groups', undefined, { token: 'other' })
    expect(body.security_groups).toHaveLength(1)
    const [first] = body.security_groups
    expect(first).toMatchObject({ name: 'default', description: 'Default security group', stateful: true, shared: false })
    expect(
      first.security_group_rules.map((rule: any) => `${rule.direction} ${rule.ethertype} ${rule.remote_group_id === first.id}`).sort(),
    ).toEqual(['egress IPv4 false', 'egress IPv6 false', 'ingress IPv4 true', 'ingress IPv6 true'])
    expect(first.security_group_rules[0].belongs_to_default_sg).toBe(true)
    expect(await errorOf(call('DELETE', `/security-groups/${first.id}`, undefined, { token: 'other' }))).toEqual([
      409,
      'SecurityGroupCannotRemoveDefault',
    ])
    expect(await errorOf(call('POST', '/security-groups', { security_group: { name: 'default' } }))).toEqual([
      409,
      'SecurityGroupDefaultAlreadyExists',
    ])
    expect(await errorOf(call('GET', `/security-groups/${first.id}`))).toEqual([404, 'SecurityGroupNotFound'])
  })
  it('are made with egress, renamed, and deleted when nobody uses them', async () => {
    const made = await group()
    expect(made.security_group_rules.map((rule: any) => rule.direction)).toEqual(['egress', 'egress'])
    expect(
      (await call('PUT', `/security-groups/${made.id}`, { security_group: { name: 'w2', description: 'd' } })).body.security_group.name,
    ).toBe('w2')
    const { network } = await netWithSubnet()
    const port = await make('port', { network_id: network.id, security_groups: [made.id] })
    expect(port.security_groups).toEqual([made.id])
    expect(await errorOf(call('DELETE', `/security-groups/${made.id}`))).toEqual([409, 'SecurityGroupInUse'])
    await call('DELETE', `/ports/${port.id}`)
    expect((await call('DELETE', `/security-groups/${made.id}`)).status).toBe(204)
  })
  it('take rules, each once', async () => {
    const { id } = await group()
    const rule = {
      security_group_id: id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: '22',
      remote_ip_prefix: '10.0.0.7/8',
    }
    const made = await make('security_group_rule', rule)
    expect(made).toMatchObject({
      ethertype: 'IPv4',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
      remote_ip_prefix: '10.0.0.7/8',
      normalized_cidr: '10.0.0.0/8',
      remote_group_id: null,
      belongs_to_default_sg: false,
    })
    const again = await call('POST', '/security-group-rules', { security_group_rule: rule })
    expect([again.status, again.body.NeutronError]).toEqual([
      409,
      { type: 'SecurityGroupRuleExists', message: `Security group rule already exists. Rule id is ${made.id}.`, detail: '' },
    ])
    expect((await call('GET', `/security-group-rules?security_group_id=${id}&direction=ingress`)).body.security_group_rules).toHaveLength(1)
    expect((await call('DELETE', `/security-group-rules/${made.id}`)).status).toBe(204)
    expect(await errorOf(call('DELETE', `/security-group-rules/${made.id}`))).toEqual([404, 'SecurityGroupRuleNotFound'])
  })
  it.each([
    ['ports without protocol', { port_range_min: 1, port_range_max: 2 }, 'SecurityGroupProtocolRequiredWithPorts'],
    ['ports backwards', { protocol: 'tcp', port_range_min: 3, port_range_max: 2 }, 'SecurityGroupInvalidPortRange'],
    ['half a range', { protocol: 'udp', port_range_min: 3 }, 'SecurityGroupInvalidPortRange'],
    ['port 0', { protocol: 'tcp', port_range_min: 0, port_range_max: 2 }, 'SecurityGroupInvalidPortValue'],
    ['ICMP type too large', { protocol: 'icmp', port_range_min: 256 }, 'SecurityGroupInvalidIcmpValue'],
    ['ICMP code alone', { protocol: 'icmp', port_range_max: 1 }, 'SecurityGroupMissingIcmpType'],
    ['ports of GRE', { protocol: 'gre', port_range_min: 1, port_range_max: 1 }, 'SecurityGroupInvalidProtocolForPort'],
    ['no protocol of this name', { protocol: 'carrier-pigeon' }, 'HTTPBadRequest'],
    ['IPv6 prefix in IPv4', { remote_ip_prefix: 'fd00::/64' }, 'SecurityGroupRuleParameterConflict'],
    ['no prefix at all', { remote_ip_prefix: 'home' }, 'SecurityGroupInvalidRemotePrefix'],
    ['ICMPv6 in IPv4', { protocol: 'ipv6-icmp' }, 'SecurityGroupEthertypeConflictWithProtocol'],
  ])('refuse a rule: %s', async (_what, over, type) => {
    const { id } = await group()
    expect(
      await errorOf(
        call('POST', '/security-group-rules', { security_group_rule: { security_group_id: id, direction: 'ingress', ...over } }),
      ),
    ).toEqual([400, type])
  })
  it('count against the quota', async () => {
    cloud({ 'quotas.quota_security_group': '2' })
    await group()
    expect(await errorOf(call('POST', '/security-groups', { security_group: { name: 'two' } }))).toEqual([409, 'OverQuota'])
  })
})
