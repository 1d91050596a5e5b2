/** Where servers go, on one cloud of four hosts: zones, named hosts, traits and resources, groups, and what no host can give. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image = ''
let made = 0

const call: TestCloud['call'] = (method, path, options) => cloud.call(method, `/compute/v2.1${path}`, options)
const placement = (method: string, path: string, body?: unknown) =>
  cloud.call(method, `/placement${path}`, { body, headers: { 'openstack-api-version': 'placement 1.39' } })

beforeAll(async () => {
  const flags = {
    'fake.hosts': '4',
    'quota.instances': '-1',
    'quota.cores': '-1',
    'quota.ram': '-1',
    'scheduler.enable_isolated_aggregate_filtering': 'true',
    'scheduler.limit_tenants_to_placement_aggregate': 'true',
    'scheduler.query_placement_for_image_type_support': 'true',
  }
  cloud = await startTestCloud({ flags })
  image = (await call('GET', '/images')).body.images[0].id
  for (const [zone, ...hosts] of [
    ['east', 'host1', 'host1-2'],
    ['west', 'host1-3'],
  ])
    await aggregate(zone ?? '', hosts, {}, zone)
})
afterAll(async () => await cloud[Symbol.asyncDispose]())

async function aggregate(name: string, hosts: readonly string[], metadata: Record<string, string>, zone?: string): Promise<number> {
  const answer = await call('POST', '/os-aggregates', { body: { aggregate: { name, ...(zone ? { availability_zone: zone } : {}) } } })
  const { id } = answer.body.aggregate
  for (const host of hosts) await call('POST', `/os-aggregates/${id}/action`, { body: { add_host: { host } } })
  if (Object.keys(metadata).length > 0) await call('POST', `/os-aggregates/${id}/action`, { body: { set_metadata: { metadata } } })
  return id
}
async function dissolve(id: number, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) await call('POST', `/os-aggregates/${id}/action`, { body: { remove_host: { host } } })
  await call('DELETE', `/os-aggregates/${id}`)
}

async function flavorWith(extra_specs: Record<string, string>): Promise<string> {
  const { id } = (await call('POST', '/flavors', { body: { flavor: { name: `f${made++}`, ram: 64, vcpus: 1, disk: 1 } } })).body.flavor
  expect((await call('POST', `/flavors/${id}/os-extra_specs`, { body: { extra_specs } })).status).toBe(200)
  return id
}

type Wish = { server?: object; specs?: Record<string, string>; as?: 'admin' | 'demo'; hints?: object; version?: string }
async function ask({ server = {}, specs, as = 'admin', hints, version = '2.96' }: Wish) {
  const flavorRef = specs ? await flavorWith(specs) : '42'
  const body = {
    server: { name: 's', imageRef: image, flavorRef, networks: 'none', ...server },
    ...(hints ? { 'os:scheduler_hints': hints } : {}),
  }
  return await call('POST', '/servers', { as, version, body })
}
/** The server when it is built or has failed. */
async function build(wish: Wish = {}) {
  const answer = await ask(wish)
  expect([answer.status, answer.text]).toEqual([202, expect.any(String)])
  await cloud.settle()
  return (await call('GET', `/servers/${answer.body.server.id}`, { version: '2.96' })).body.server
}
const hostOf = async (wish: Wish) => (await build(wish))['OS-EXT-SRV-ATTR:host']
async function refused(wish: Wish): Promise<{ message: string; reasons: string }> {
  const server = await build(wish)
  expect(server.status).toBe('ERROR')
  const { instanceActions } = (await call('GET', `/servers/${server.id}/os-instance-actions`, { version: '2.96' })).body
  const path = `/servers/${server.id}/os-instance-actions/${instanceActions[0].request_id}`
  const { instanceAction } = (await call('GET', path, { version: '2.96' })).body
  return { message: server.fault.message, reasons: instanceAction.events[0].details }
}

describe('zones and hosts', () => {
  it('are as they were asked for, and shown', async () => {
    const east = await build({ server: { availability_zone: 'east' } })
    expect(['host1', 'host1-2']).toContain(east['OS-EXT-SRV-ATTR:host'])
    expect([east['OS-EXT-AZ:availability_zone'], east.pinned_availability_zone]).toEqual(['east', 'east'])
    expect((await build()).pinned_availability_zone).toBeNull()
    expect(await hostOf({ server: { availability_zone: 'east:host1-2' } })).toBe('host1-2')
    expect(await hostOf({ server: { availability_zone: 'west::host1-3' } })).toBe('host1-3')
    expect(await hostOf({ server: { host: 'host1-4' } })).toBe('host1-4')
    expect(await hostOf({ server: { hypervisor_hostname: 'host1' } })).toBe('host1')
  })

  it('are refused where they cannot be meant', async () => {
    const message = async (server: object, as: 'admin' | 'demo' = 'admin') => {
      const { status, body } = await ask({ server, as })
      return [status, body.badRequest?.message ?? body.forbidden?.message]
    }
    expect(await message({ availability_zone: 'a:b:c:d' })).toEqual([400, 'Invalid input received: Unable to parse availability_zone'])
    expect(await message({ availability_zone: 'south' })).toEqual([400, 'The requested availability zone is not available'])
    expect(await message({ host: 'moon' })).toEqual([400, 'Compute host moon could not be found.'])
    expect((await message({ availability_zone: 'east:host1' }, 'demo'))[0]).toBe(403)
    expect((await message({ host: 'host1' }, 'demo'))[0]).toBe(403)
    const { message: said, reasons } = await refused({ server: { availability_zone: 'west:host1' } })
    expect(said).toBe('No valid host was found. There is no other host that can be tried.')
    expect(reasons).toContain('host1: AvailabilityZoneFilter: it is in zone east, west was asked for')
  })

  it('that an administrator forces pass over filters, but not over what cannot be', async () => {
    const specs = { 'capabilities:vcpus_total': '>= 100000' }
    expect((await refused({ specs, server: { host: 'host1-4' } })).message).toContain('the capabilities that the flavor asks for')
    expect(await hostOf({ specs, server: { availability_zone: ':host1-4' } })).toBe('host1-4')
    expect((await refused({ specs: { 'hw:numa_nodes': '1' }, server: { availability_zone: ':host1-4' } })).reasons).toContain(
      'NUMATopologyFilter',
    )
  })

  it('a shelved server comes back to its zone', async () => {
    const { id } = await build({ server: { availability_zone: 'east' } })
    await call('POST', `/servers/${id}/action`, { body: { shelve: null } })
    await cloud.settle()
    const unshelve = (body: object) => call('POST', `/servers/${id}/action`, { version: '2.91', body: { unshelve: body } })
    const wrong = await unshelve({ host: 'host1-3' })
    expect([wrong.status, wrong.body.conflictingRequest.message]).toEqual([409, 'Host "host1-3" is not in the availability zone "east".'])
    expect((await unshelve({ host: 'host1-3', availability_zone: 'west' })).status).toBe(202)
    await cloud.settle()
    const server = (await call('GET', `/servers/${id}`, { version: '2.96' })).body.server
    expect([server['OS-EXT-SRV-ATTR:host'], server.pinned_availability_zone]).toEqual(['host1-3', 'west'])
  })
})

describe('placement', () => {
  const providerOf = async (name: string) => (await placement('GET', `/resource_providers?name=${name}`)).body.resource_providers[0].uuid
  const traitsOf = async (name: string) => (await placement('GET', `/resource_providers/${await providerOf(name)}/traits`)).body

  it('has traits that operators gave to hosts, also after the next report', async () => {
    const uuid = await providerOf('host1-2')
    expect((await placement('PUT', '/traits/CUSTOM_SSD')).status).toBe(201)
    const { traits, resource_provider_generation } = await traitsOf('host1-2')
    await placement('PUT', `/resource_providers/${uuid}/traits`, { traits: [...traits, 'CUSTOM_SSD'], resource_provider_generation })
    const service = (await call('GET', '/os-services?host=host1-2&binary=nova-compute', { version: '2.53' })).body.services[0].id
    const set = (status: string) => call('PUT', `/os-services/${service}`, { version: '2.53', body: { status } })
    await set('disabled')
    expect((await traitsOf('host1-2')).traits).toEqual(expect.arrayContaining(['COMPUTE_STATUS_DISABLED', 'CUSTOM_SSD']))
    expect((await refused({ specs: { 'trait:CUSTOM_SSD': 'required' } })).reasons).toMatch(/host1-2: ComputeFilter: .*\n.*lacks CUSTOM_SSD/)
    await set('enabled')
    expect((await traitsOf('host1-2')).traits).not.toContain('COMPUTE_STATUS_DISABLED')
    expect(await hostOf({ specs: { 'trait:CUSTOM_SSD': 'required' } })).toBe('host1-2')
    expect(await hostOf({ specs: { 'trait1:CUSTOM_SSD': 'forbidden', 'resources1:VCPU': '1' } })).not.toBe('host1-2')
  })

  it.each<[Record<string, string>, string, string]>([
    [{ 'trait:CUSTOM_MOON': 'required' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'trait:HW_CPU_X86_AVX512F': 'required' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'resources:CUSTOM_GOLD': '1' }, 'ResourceClass', 'No host has a resource'],
    [{ 'resources:VGPU': '1' }, 'Placement', 'not enough free'],
    [{ 'resources1:VCPU': '99999' }, 'Placement', 'not enough free'],
    [{ 'resources1:VCPU': '1', 'resources2:VCPU': '1', group_policy: 'isolate' }, 'ResourceGroupFilter', 'in groups as the flavor wants'],
    [{ 'hw:numa_nodes': '1' }, 'NUMATopologyFilter', 'NUMA topology'],
    [{ 'hw:cpu_policy': 'dedicated' }, 'NUMATopologyFilter', 'pinned processors'],
    [{ 'hw:mem_page_size': 'large' }, 'NUMATopologyFilter', 'memory pages'],
    [{ 'hw:tpm_version': '2.0' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'hw:mem_encryption': 'true' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'os:secure_boot': 'required' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'accel:device_profile': 'gpu' }, 'TraitFilter', 'No host has all the traits'],
    [{ 'hw:redirected_usb_ports': '2' }, 'GuestFeatureFilter', 'what the flavor or the image asks for'],
    [{ 'capabilities:hypervisor_type': 's== xen' }, 'ComputeCapabilitiesFilter', 'capabilities that the flavor asks for'],
  ])('%j finds no host: %s', async (specs, filter, sentence) => {
    const { message, reasons } = await refused({ specs })
    expect(message).toMatch(/^No valid host was found\. /)
    expect(message).toContain(sentence)
    expect(message).not.toMatch(/host1/)
    for (const host of ['host1', 'host1-2', 'host1-3', 'host1-4']) expect(reasons).toContain(`${host}: ${filter}: `)
  })

  it('charges what groups want together', async () => {
    const { id } = await build({ specs: { 'resources1:VCPU': '2', 'resources2:VCPU': '3' } })
    const { allocations } = (await placement('GET', `/allocations/${id}`)).body
    expect(Object.values(allocations)).toEqual([expect.objectContaining({ resources: { VCPU: 6, MEMORY_MB: 64, DISK_GB: 1 } })])
  })
})

describe('aggregates', () => {
  it('keep their hosts for those that require their traits', async () => {
    const hosts = ['host1', 'host1-3', 'host1-4']
    const id = await aggregate('licensed', hosts, { 'trait:CUSTOM_LICENSED': 'required' })
    expect(await hostOf({})).toBe('host1-2')
    expect((await refused({ server: { host: 'host1' } })).reasons).toContain('servers that require CUSTOM_LICENSED')
    await dissolve(id, hosts)
    expect(await hostOf({ server: { host: 'host1' } })).toBe('host1')
  })

  it('are for projects, and weigh', async () => {
    const demo = (await cloud.call('GET', '/identity/v3/projects?name=demo')).body.projects[0].id
    const id = await aggregate('demo', ['host1-3'], { filter_tenant_id: demo })
    expect(await hostOf({ as: 'demo' })).toBe('host1-3')
    expect((await refused({ as: 'demo', server: { availability_zone: 'east' } })).reasons).toContain('host1-3: AvailabilityZoneFilter')
    await dissolve(id, ['host1-3'])
  })
})

describe('flavors and images', () => {
  it.each<[Record<string, string>, string]>([
    [{ 'pci_passthrough:alias': 'gpu:1' }, 'PCI alias gpu is not defined'],
    [{ 'hw:cpu_policy': 'sharing' }, "CPU policy requested from 'flavor extra specs' is invalid, given: 'sharing'"],
    [{ 'hw:numa_nodes': '2' }, 'cannot be evenly distributed'],
    [{ 'hw:cpu_thread_policy': 'isolate' }, 'non dedicated cpu pinning policy'],
  ])('%j makes no sense: %s', async (specs, words) => {
    const answer = await ask({ specs })
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, expect.stringContaining(words)])
    const { id } = await build()
    const resize = await call('POST', `/servers/${id}/action`, { body: { resize: { flavorRef: await flavorWith(specs) } } })
    expect([resize.status, resize.body.badRequest?.message]).toEqual([400, expect.stringContaining(words)])
  })

  it('a resize that no host can give leaves the server as it was', async () => {
    const { id } = await build()
    const answer = await call('POST', `/servers/${id}/action`, {
      body: { resize: { flavorRef: await flavorWith({ 'hw:numa_nodes': '1' }) } },
    })
    expect(answer.status).toBe(202)
    await cloud.settle()
    const server = (await call('GET', `/servers/${id}`, { version: '2.96' })).body.server
    expect([server.status, server.flavor.original_name]).toEqual(['ACTIVE', 'm1.nano'])
  })
})
