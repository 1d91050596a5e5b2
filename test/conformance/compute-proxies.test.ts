/** What Compute's older versions pass on to the network service: floating addresses, networks, security groups, further addresses. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestAnswer } from '../support/api.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

let cloud: TestCloud
let id: string
let other: string
let network: string
const nowhere = '70a599e0-31e7-49b7-b260-868f441e862b'
const call = async (method: string, path: string, options: CloudCall = {}) =>
  await cloud.call(method, `/compute/v2.1${path}`, { as: 'demo', ...options })
const act = async (body: Record<string, unknown>, options: CloudCall = {}, server = id) => {
  const answer = await call('POST', `/servers/${server}/action`, { body, ...options })
  await cloud.settle()
  return answer
}
const addresses = async (server = id): Promise<Record<string, { addr: string; 'OS-EXT-IPS:type': string }[]>> =>
  (await call('GET', `/servers/${server}`)).body.server.addresses
const flat = async (server = id) =>
  Object.values(await addresses(server))
    .flat()
    .map(({ addr }) => addr)
const likeSample = (folder: string, file: string, answer: TestAnswer) => {
  if (samplesMissing) return
  const sample = samplesIn(folder).find((one) => one.file === file)
  expect(sample, file).toBeDefined()
  expect(shapeDifferences(sample?.document, answer.body)).toEqual([])
}
const requestOf = (folder: string, file: string): unknown => samplesIn(folder).find((one) => one.file === file)?.document

beforeAll(async () => {
  cloud = await startTestCloud()
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny', { as: 'demo' })).body.images[0].id
  network = (await cloud.call('GET', '/network/v2.0/networks?name=private', { as: 'demo' })).body.networks[0].id
  const boot = async (name: string): Promise<string> =>
    (await call('POST', '/servers', { body: { server: { name, imageRef: image, flavorRef: '42', networks: [{ uuid: network }] } } })).body
      .server.id
  id = await boot('web1')
  other = await boot('web2')
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('windows', () => {
  it.each([
    ['GET', '/os-floating-ip-pools'],
    ['GET', '/os-floating-ips'],
    ['GET', '/os-networks'],
    ['GET', '/os-tenant-networks'],
    ['GET', '/os-security-groups'],
  ])('%s %s answers to 2.35', async (method, path) => {
    expect((await call(method, path, { version: '2.35' })).status).toBe(200)
    expect((await call(method, path, { version: '2.36' })).status).toBe(404)
  })

  it.each(['addFloatingIp', 'removeFloatingIp', 'addFixedIp', 'removeFixedIp'])('%s is known to 2.43', async (action) => {
    expect((await act({ [action]: {} }, { version: '2.43' })).status).toBe(400)
    expect((await act({ [action]: {} }, { version: '2.44' })).status).toBe(404)
  })
})

describe('networks', () => {
  it('are shown in short to users, in full to administrators', async () => {
    const answer = await call('GET', '/os-networks', { as: 'admin' })
    likeSample('os-networks', 'networks-list-resp.json', answer)
    likeSample('os-networks', 'network-show-resp.json', await call('GET', `/os-networks/${network}`, { as: 'admin' }))
    const { network: shown } = (await call('GET', `/os-networks/${network}`)).body
    expect(shown).toMatchObject({ id: network, label: 'private', cidr: null })
    expect(shown).not.toHaveProperty('mtu')
    expect((await call('GET', '/os-networks')).body.networks.map(({ label }: { label: string }) => label)).toContain('public')
    expect((await call('GET', `/os-networks/${nowhere}`)).status).toBe(404)
  })

  it('of a tenant have a name and an id', async () => {
    likeSample('os-tenant-networks', 'networks-list-res.json', await call('GET', '/os-tenant-networks'))
    expect((await call('GET', `/os-tenant-networks/${network}`)).body.network).toEqual({ id: network, label: 'private', cidr: 'None' })
    expect((await call('GET', '/os-tenant-networks/x')).status).toBe(404)
  })

  it('of other projects are not seen', async () => {
    const hidden = (await cloud.call('POST', '/network/v2.0/networks', { body: { network: { name: 'hidden' } } })).body.network.id
    expect((await call('GET', `/os-networks/${hidden}`)).status).toBe(404)
    expect((await call('GET', '/os-tenant-networks')).text).not.toContain(hidden)
    expect((await call('GET', `/os-networks/${hidden}`, { as: 'admin' })).status).toBe(200)
  })
})

describe('floating addresses', () => {
  const create = async (body: unknown = { pool: 'public' }, options: CloudCall = {}) =>
    await call('POST', '/os-floating-ips', { body, ...options })

  it('come from a pool, are listed, lead to a server and go', async () => {
    expect((await call('GET', '/os-floating-ip-pools')).body).toEqual({ floating_ip_pools: [{ name: 'public' }] })
    const made = await create(samplesMissing ? undefined : requestOf('os-floating-ips', 'floating-ips-create-req.json'))
    expect([made.status, made.text]).toEqual([200, expect.any(String)])
    likeSample('os-floating-ips', 'floating-ips-get-resp.json', made)
    const { id: floatingId, ip } = made.body.floating_ip
    likeSample('os-floating-ips', 'floating-ips-list-resp.json', await call('GET', '/os-floating-ips'))

    expect((await act({ addFloatingIp: { address: ip } })).status).toBe(202)
    expect(await flat()).toContain(ip)
    const { floating_ip: leading } = (await call('GET', `/os-floating-ips/${floatingId}`)).body
    expect(leading).toMatchObject({ instance_id: id, fixed_ip: expect.stringMatching(/^\d+\./) })

    expect((await act({ addFloatingIp: { address: ip } }, {}, other)).status).toBe(202)
    expect([await flat(), await flat(other)]).toEqual([expect.not.arrayContaining([ip]), expect.arrayContaining([ip])])
    expect((await act({ removeFloatingIp: { address: ip } })).status).toBe(409)
    expect((await act({ removeFloatingIp: { address: ip } }, {}, other)).status).toBe(202)
    expect(await flat(other)).not.toContain(ip)

    expect((await call('DELETE', `/os-floating-ips/${floatingId}`)).status).toBe(202)
    expect((await call('GET', `/os-floating-ips/${floatingId}`)).status).toBe(404)
    expect((await call('DELETE', `/os-floating-ips/${floatingId}`)).status).toBe(404)
  })

  it('are taken from any pool when none is named', async () => {
    const made = await create({})
    expect(made.body.floating_ip.pool).toBe('public')
    expect((await call('DELETE', `/os-floating-ips/${made.body.floating_ip.id}`)).status).toBe(202)
  })

  it('belong to their project', async () => {
    const { floating_ip: foreign } = (await create({ pool: 'public' }, { as: 'admin' })).body
    expect((await call('GET', `/os-floating-ips/${foreign.id}`)).status).toBe(404)
    expect((await call('DELETE', `/os-floating-ips/${foreign.id}`)).status).toBe(404)
    expect((await act({ addFloatingIp: { address: foreign.ip } })).status).toBe(404)
    expect((await call('DELETE', `/os-floating-ips/${foreign.id}`, { as: 'admin' })).status).toBe(202)
  })

  it('are refused beyond the quota, with 403', async () => {
    const project = (await cloud.call('GET', '/identity/v3/auth/projects', { as: 'demo' })).body.projects[0].id
    const quota = async (floatingip: number) =>
      await cloud.call('PUT', `/network/v2.0/quotas/${project}`, { body: { quota: { floatingip } } })
    await quota(0)
    expect((await create()).status).toBe(403)
    await quota(50)
  })

  it.each([
    ['an unknown pool', { pool: 'moon' }, 404],
    ['a network that is no pool', { pool: 'private' }, 404],
    ['a number for a pool', { pool: 1 }, 400],
    ['no object', [], 400],
  ])('refuse %s', async (_what, body, status) => {
    expect((await create(body)).status).toBe(status)
  })

  it.each([
    ['no address', {}, 400],
    ['a word', { address: 'web1' }, 400],
    ['an unknown key', { address: '10.0.0.1', colour: 'red' }, 400],
    ['an address that nobody has', { address: '203.0.113.250' }, 404],
    ['a fixed address that the server has not', { address: '203.0.113.250', fixed_address: '10.255.255.1' }, 400],
  ])('are not added for %s', async (_what, addFloatingIp, status) => {
    expect((await act({ addFloatingIp })).status).toBe(status)
  })
})

describe('fixed addresses', () => {
  const ips = async () =>
    (await call('GET', `/servers/${id}/os-interface`)).body.interfaceAttachments.flatMap((one: { fixed_ips: { ip_address: string }[] }) =>
      one.fixed_ips.map(({ ip_address }) => ip_address),
    )

  it('are added on a network of the server, seen everywhere, and removed', async () => {
    const before: string[] = await ips()
    expect((await act({ addFixedIp: { networkId: network } })).status).toBe(202)
    const after: string[] = await ips()
    expect(after).toHaveLength(before.length + 1)
    const [added = ''] = after.filter((ip) => !before.includes(ip))
    expect(await flat()).toContain(added)

    const { floating_ip: floating } = (await call('POST', '/os-floating-ips', { body: { pool: 'public' } })).body
    expect((await act({ addFloatingIp: { address: floating.ip, fixed_address: added } })).status).toBe(202)
    expect((await call('GET', `/os-floating-ips/${floating.id}`)).body.floating_ip.fixed_ip).toBe(added)

    expect((await act({ removeFixedIp: { address: added } })).status).toBe(202)
    expect(await ips()).toEqual(before)
    expect(await flat()).not.toEqual(expect.arrayContaining([added]))
    expect((await call('GET', `/os-floating-ips/${floating.id}`)).body.floating_ip).toMatchObject({ fixed_ip: null, instance_id: null })
    expect((await act({ removeFixedIp: { address: added } })).status).toBe(400)
    await call('DELETE', `/os-floating-ips/${floating.id}`)
  })

  it('are refused beyond what a port may have, with nothing changed', async () => {
    const before: string[] = await ips()
    let answer = await act({ addFixedIp: { networkId: network } })
    for (let more = 0; answer.status === 202 && more < 10; more += 1) answer = await act({ addFixedIp: { networkId: network } })
    expect(answer.status).toBe(400)
    const most: string[] = await ips()
    expect(most.length).toBeLessThan(12)
    for (const address of most.filter((ip) => !before.includes(ip))) expect((await act({ removeFixedIp: { address } })).status).toBe(202)
    expect(await ips()).toEqual(before)
  })

  it.each([
    ['a network that it is not on', { addFixedIp: { networkId: nowhere } }, 404],
    ['no network', { addFixedIp: {} }, 400],
    ['a network of the wrong type', { addFixedIp: { networkId: true } }, 400],
    ['an address that it has not', { removeFixedIp: { address: '10.255.255.1' } }, 400],
    ['no address', { removeFixedIp: { address: 'x' } }, 400],
  ])('refuse %s', async (_what, body, status) => {
    expect((await act(body)).status).toBe(status)
  })

  it('of a locked server are its administrator’s', async () => {
    await act({ lock: null }, { as: 'admin' })
    expect((await act({ addFixedIp: { networkId: network } })).status).toBe(409)
    await act({ unlock: null }, { as: 'admin' })
  })

  it.each([
    ['os-multinic', 'multinic-add-fixed-ip-req.json', { 404: /Network/ }],
    ['os-multinic', 'multinic-remove-fixed-ip-req.json', { 400: /not associated/ }],
    ['servers', 'server-action-addfloatingip-req.json', { 400: /not assigned/, 404: /floating IP/ }],
    ['servers', 'server-action-removefloatingip-req.json', { 404: /floating IP/ }],
  ])('%s %s is understood', async (folder, file, expected) => {
    if (samplesMissing) return
    const answer = await act(requestOf(folder, file) as Record<string, unknown>)
    expect(answer.text).toMatch((expected as Record<number, RegExp>)[answer.status] ?? /never/)
  })
})

describe('security groups', () => {
  const group = async (name: string) => await call('POST', '/os-security-groups', { body: { security_group: { name, description: 'd' } } })
  const rule = async (security_group_rule: Record<string, unknown>) =>
    await call('POST', '/os-security-group-rules', { body: { security_group_rule } })

  it('are made, shown, changed and deleted', async () => {
    const list = await call('GET', '/os-security-groups')
    likeSample('os-security-groups', 'security-groups-list-get-resp.json', list)
    expect(list.body.security_groups.map(({ name }: { name: string }) => name)).toEqual(['default'])
    const made = await call('POST', '/os-security-groups', {
      body: samplesMissing
        ? { security_group: { name: 'test', description: 'description' } }
        : requestOf('os-security-groups', 'security-group-post-req.json'),
    })
    expect(made.status).toBe(200)
    const { id: groupId } = made.body.security_group
    expect(made.body.security_group).toMatchObject({ name: 'test', description: 'description', rules: [] })
    const changed = await call('PUT', `/os-security-groups/${groupId}`, { body: { security_group: { name: 'new', description: '' } } })
    expect(changed.body.security_group).toMatchObject({ id: groupId, name: 'new', description: '' })
    expect((await call('GET', `/os-security-groups/${groupId}`)).body).toEqual(changed.body)
    expect((await call('DELETE', `/os-security-groups/${groupId}`)).status).toBe(202)
    expect((await call('GET', `/os-security-groups/${groupId}`)).status).toBe(404)
  })

  it('come in parts; those of all projects to administrators', async () => {
    const made = (await group('zz')).body.security_group.id
    const names = async (query: string, options: CloudCall = {}) =>
      (await call('GET', `/os-security-groups${query}`, options)).body.security_groups.map(({ name }: { name: string }) => name)
    expect(await names('?limit=1')).toEqual(['default'])
    expect(await names('?offset=1')).toEqual(['zz'])
    expect(await names('?all_tenants=1')).toEqual(['default', 'zz'])
    expect(await names('', { as: 'admin' })).not.toContain('zz')
    expect(await names('?all_tenants=1', { as: 'admin' })).toContain('zz')
    expect((await call('GET', '/os-security-groups?limit=x')).status).toBe(400)
    await call('DELETE', `/os-security-groups/${made}`)
  })

  it('in use, or default, stay: 400', async () => {
    const [standard] = (await call('GET', '/os-security-groups')).body.security_groups
    expect((await call('DELETE', `/os-security-groups/${standard.id}`)).status).toBe(400)
    expect(
      (await call('PUT', `/os-security-groups/${standard.id}`, { body: { security_group: { name: 'x', description: '' } } })).status,
    ).toBe(400)
    expect((await group('default')).status).toBe(400)
  })

  it.each([
    ['no name', { description: 'd' }],
    ['an empty name', { name: '', description: 'd' }],
    ['a blank name', { name: '  ', description: 'd' }],
    ['a long name', { name: 'x'.repeat(256), description: 'd' }],
    ['a number for a name', { name: 1, description: 'd' }],
  ])('refuse %s', async (_what, security_group) => {
    expect((await call('POST', '/os-security-groups', { body: { security_group } })).status).toBe(400)
  })

  it('have rules, made and deleted', async () => {
    const { id: parent_group_id } = (await group('rules')).body.security_group
    const sample = samplesMissing
      ? { ip_protocol: 'tcp', from_port: 22, to_port: 22, cidr: '10.0.0.0/24' }
      : (requestOf('os-security-groups', 'security-group-rules-post-req.json') as { security_group_rule: object }).security_group_rule
    const made = await rule({ ...sample, parent_group_id })
    expect([made.status, made.text]).toEqual([200, expect.any(String)])
    likeSample('os-security-groups', 'security-group-rules-post-resp.json', made)
    expect(made.body.security_group_rule).toMatchObject({
      parent_group_id,
      ip_protocol: 'tcp',
      from_port: 22,
      ip_range: { cidr: '10.0.0.0/24' },
    })
    expect((await rule({ ...sample, parent_group_id })).status).toBe(400)

    const [standard] = (await call('GET', '/os-security-groups')).body.security_groups
    const fromGroup = (await rule({ parent_group_id, group_id: standard.id })).body.security_group_rule
    expect(fromGroup).toMatchObject({ group: { name: 'default', tenant_id: standard.tenant_id }, ip_range: {}, ip_protocol: null })
    expect((await rule({ parent_group_id, ip_protocol: 'icmp', from_port: -1, to_port: -1, cidr: '::/0' })).status).toBe(200)
    expect((await rule({ parent_group_id, ip_protocol: 'udp', from_port: '53', to_port: '53' })).body.security_group_rule).toMatchObject({
      from_port: 53,
      ip_range: { cidr: '0.0.0.0/0' },
    })
    expect((await call('GET', `/os-security-groups/${parent_group_id}`)).body.security_group.rules).toHaveLength(4)

    const at = `/os-security-group-rules/${made.body.security_group_rule.id}`
    expect((await call('DELETE', at)).status).toBe(202)
    expect((await call('DELETE', at)).status).toBe(404)
    expect((await call('DELETE', '/os-security-group-rules/1')).status).toBe(400)
  })

  it.each([
    ['no port', { ip_protocol: 'tcp', cidr: '10.0.0.0/8' }],
    ['no protocol', { from_port: 1, to_port: 2 }],
    ['another protocol', { ip_protocol: 'sctp', from_port: 1, to_port: 2 }],
    ['ports the wrong way round', { ip_protocol: 'tcp', from_port: 3, to_port: 2 }],
    ['ports beyond the last', { ip_protocol: 'tcp', from_port: 3, to_port: 65_536 }],
    ['words for ports', { ip_protocol: 'tcp', from_port: 'a', to_port: 'b' }],
    ['a type of ICMP that is none', { ip_protocol: 'icmp', from_port: 256, to_port: 1 }],
    ['no prefix', { ip_protocol: 'tcp', from_port: 1, to_port: 2, cidr: 'x' }],
    ['a prefix of no bits', { ip_protocol: 'tcp', from_port: 1, to_port: 2, cidr: '10.0.0.0/0' }],
    ['a source that is no id', { group_id: '1' }],
  ])('refuse a rule with %s', async (_what, given) => {
    const [standard] = (await call('GET', '/os-security-groups')).body.security_groups
    expect((await rule({ parent_group_id: standard.id, ...given })).status).toBe(400)
  })

  it('of others are not found', async () => {
    const [foreign] = (await call('GET', '/os-security-groups', { as: 'admin' })).body.security_groups
    expect((await call('GET', `/os-security-groups/${foreign.id}`)).status).toBe(404)
    expect((await call('GET', '/os-security-groups/1')).status).toBe(400)
    const traffic = { ip_protocol: 'tcp', from_port: 1, to_port: 2 }
    expect((await rule({ parent_group_id: foreign.id, ...traffic })).status).toBe(404)
    expect((await rule({ parent_group_id: nowhere, ...traffic })).status).toBe(404)
    expect((await rule({ parent_group_id: '1', ...traffic })).status).toBe(400)
  })
})

describe('bare metal', () => {
  it('is not here: 501 for its administrators, 400 for what never was', async () => {
    for (const path of ['/os-baremetal-nodes', `/os-baremetal-nodes/${nowhere}`]) {
      expect((await call('GET', path, { as: 'admin' })).status).toBe(501)
      expect((await call('GET', path)).status).toBe(403)
      expect((await call('GET', path, { as: 'admin', version: '2.36' })).status).toBe(404)
    }
    expect((await call('POST', '/os-baremetal-nodes', { body: {} })).status).toBe(400)
    expect((await call('DELETE', `/os-baremetal-nodes/${nowhere}`)).status).toBe(400)
    for (const action of ['add_interface', 'remove_interface'])
      expect((await call('POST', `/os-baremetal-nodes/${nowhere}/action`, { body: { [action]: { address: 'x' } } })).status).toBe(400)
  })
})
