/** Whatever is sent to the network service is taken or refused, never a failure. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Networks } from '../../src/network/index.ts'
import type { TestApi } from '../support/api.ts'
import { networkCalls, startNetworks } from '../support/network.ts'

let networks: Networks
let api: TestApi
const cloud = (flags: Record<string, string> = {}): void => {
  ;({ networks, api } = startNetworks(flags))
}
beforeEach(() => cloud())
const { call, asAdmin, make, netWithSubnet } = networkCalls(() => api)

describe('nonsense', () => {
  const paths = ['/networks', '/subnets', '/ports', '/routers', '/security-groups', '/security-group-rules']
  const kinds = ['network', 'subnet', 'port', 'router', 'security_group', 'security_group_rule']
  const keys = [
    'name',
    'network_id',
    'cidr',
    'ip_version',
    'fixed_ips',
    'gateway_ip',
    'allocation_pools',
    'host_routes',
    'dns_nameservers',
    'mac_address',
  ]
    .concat(
      'security_groups',
      'allowed_address_pairs',
      'extra_dhcp_opts',
      'external_gateway_info',
      'security_group_id',
      'direction',
      'protocol',
      'port_range_min',
    )
    .concat(
      'remote_ip_prefix',
      'remote_group_id',
      'ethertype',
      'mtu',
      'admin_state_up',
      'enable_dhcp',
      'device_id',
      'device_owner',
      'project_id',
      '__proto__',
    )
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom(
      '10.0.0.0/24',
      '10.0.0.1',
      'fd00::/64',
      '::1',
      '0.0.0.0/0',
      '255.255.255.255',
      'ingress',
      'tcp',
      4,
      6,
      0,
      -1,
      70_000,
      [{}],
      [{ ip_address: '10.0.0.300' }],
    ),
    fc.constantFrom(
      [{ start: '10.0.0.9', end: '::1' }],
      [{ destination: '10.0.0.0/8', nexthop: 'x' }],
      { network_id: 'x' },
      'fe80::1%eth0',
      '1.2.3.4/33',
    ),
  )
  it('never makes a 5xx, whoever sends it', async () => {
    const { network } = await netWithSubnet()
    const { id: group } = await make('security_group', { name: 'g' })
    const good: Record<string, unknown> = {
      network_id: network.id,
      security_group_id: group,
      ip_version: 4,
      cidr: '10.7.0.0/24',
      direction: 'ingress',
    }
    const fits = [[], ['network_id', 'ip_version', 'cidr'], ['network_id'], [], [], ['security_group_id', 'direction']]
    await fc.assert(
      fc.asyncProperty(
        fc.nat(kinds.length - 1),
        fc.array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: 3 }),
        fc.constantFrom('demo', 'admin', 'service'),
        async (at, pairs, token) => {
          const base = Object.fromEntries((fits[at] ?? []).map((key) => [key, good[key]]))
          const body = { [kinds[at] ?? '']: { ...base, ...Object.fromEntries(pairs) } }
          const answer = await call('POST', paths[at] ?? '', body, { token })
          expect(answer.status, JSON.stringify(body) + answer.text).toBeLessThan(500)
          if (answer.status === 201) {
            const { id } = answer.body[kinds[at] ?? '']
            if (kinds[at] !== 'security_group_rule')
              expect(
                (await call('PUT', `${paths[at]}/${id}`, { [kinds[at] ?? '']: Object.fromEntries(pairs) }, { token: 'admin' })).status,
              ).toBeLessThan(500)
            expect((await call('DELETE', `${paths[at]}/${id}`, undefined, { token: 'admin' })).status).toBe(204)
          }
        },
      ),
      { numRuns: 400 },
    )
    await networks.start()
  })
  it('never makes a 5xx of a query', async () => {
    const names = [
      'name',
      'limit',
      'marker',
      'sort_key',
      'sort_dir',
      'page_reverse',
      'fields',
      'fixed_ips',
      'shared',
      'mtu',
      'tags',
      'not-tags-any',
      'ip_version',
      "'; DROP",
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths, '/floatingips', '/agents', '/network-ip-availabilities'),
        fc.array(fc.tuple(fc.constantFrom(...names), fc.oneof(fc.string(), fc.constantFrom('id', 'name', '1', 'asc', 'true'))), {
          maxLength: 4,
        }),
        async (path, pairs) => {
          const answer = await asAdmin('GET', `${path}?${new URLSearchParams(pairs)}`)
          expect(answer.status, answer.text).toBeLessThan(500)
        },
      ),
      { numRuns: 300 },
    )
  })
  it.each([['[]'], ['null'], ['{"network": []}'], ['{"network": null}'], ['{"networks": {}}'], ['{"networks": []}'], ['"x"'], ['{']])(
    'refuses the body %s',
    async (raw) => {
      expect((await api.call('POST', '/networks', { token: 'demo', raw, headers: { 'content-type': 'application/json' } })).status).toBe(
        400,
      )
    },
  )
})
