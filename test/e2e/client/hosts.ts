/** Aggregates, hypervisors, services, hosts, zones and versions with `openstack`. */
import { expect, it } from 'vitest'
import { column, type Desk, hosts } from './desk.ts'

export function hostCommands(desk: () => Desk): void {
  it('aggregate', async () => {
    const { old, recent } = desk()
    const [, host] = hosts
    expect(await recent.json('aggregate', 'create', '--zone', 'paris', '--property', 'ssd=true', 'fast')).toMatchObject({ name: 'fast' })
    expect(await old.json('aggregate', 'add', 'host', 'fast', host)).toMatchObject({ hosts: [host] })
    expect(await recent.json('aggregate', 'show', 'fast')).toMatchObject({
      availability_zone: 'paris',
      hosts: [host],
      properties: { ssd: 'true' },
      uuid: expect.stringMatching(/^[\da-f-]{36}$/),
    })
    expect(await old.json('aggregate', 'list', '--long')).toEqual([
      { ID: expect.any(Number), Name: 'fast', 'Availability Zone': 'paris', Properties: { ssd: 'true' }, Hosts: [host] },
    ])
    expect(column(await old.json('availability', 'zone', 'list', '--compute'), 'Zone Name')).toEqual(
      expect.arrayContaining(['internal', 'nova', 'paris']),
    )
    await recent.text('aggregate', 'set', '--name', 'faster', '--zone', 'rome', '--property', 'rack=7', 'fast')
    await old.text('aggregate', 'unset', '--property', 'ssd', 'faster')
    expect(await old.json('aggregate', 'show', 'faster')).toMatchObject({ availability_zone: 'rome', properties: { rack: '7' } })
    await recent.text('aggregate', 'set', '--no-property', '--property', 'a=b', 'faster')
    expect(await recent.json('aggregate', 'show', 'faster')).toMatchObject({ properties: { a: 'b' } })
    expect((await recent.json('hypervisor', 'show', host)).aggregates).toEqual(['faster'])
    await recent.text('aggregate', 'cache', 'image', 'faster', 'tiny')
    expect(await old.refused('aggregate', 'cache', 'image', 'faster', 'tiny')).toContain('2.81')
    expect(await recent.refused('aggregate', 'delete', 'faster')).toContain('Host aggregate is not empty')
    expect(await recent.json('aggregate', 'remove', 'host', 'faster', host)).toMatchObject({ hosts: [] })
    await old.text('aggregate', 'delete', 'faster')
    expect(await recent.json('aggregate', 'list')).toEqual([])
  })

  it('hypervisor', async () => {
    const { old, recent, at, demo } = desk()
    const listed = await old.json('hypervisor', 'list', '--long')
    expect(column(listed, 'Hypervisor Hostname')).toEqual(hosts)
    expect(listed[1]).toMatchObject({ ID: 2, 'Hypervisor Type': 'fake', State: 'up', vCPUs: 1000, 'Memory MB': 800_000 })
    expect((await recent.json('hypervisor', 'list'))[1].ID).toMatch(/^[\da-f-]{36}$/)
    expect(await recent.json('hypervisor', 'list', '--limit', '1')).toHaveLength(1)
    for (const client of [old, recent]) {
      expect(column(await client.json('hypervisor', 'list', '--matching', 'host1-2'), 'Hypervisor Hostname')).toEqual(['host1-2'])
      expect(await client.refused('hypervisor', 'list', '--matching', 'moon')).toContain('moon')
      expect(await client.refused('hypervisor', 'show', 'moon')).toContain('moon')
    }
    const shown = { hypervisor_hostname: 'host1-2', service_host: 'host1-2', status: 'enabled', uptime: expect.any(String), users: '0' }
    expect(await old.json('hypervisor', 'show', 'host1-2')).toMatchObject({ ...shown, cpu_info: { arch: 'x86_64' }, vcpus: 1000 })
    expect(await at('2.60').json('hypervisor', 'show', 'host1-2')).toMatchObject({ ...shown, cpu_info: { arch: 'x86_64' }, vcpus: 1000 })
    const lean = await recent.json('hypervisor', 'show', 'host1-2')
    expect(lean).toMatchObject(shown)
    expect(lean).not.toHaveProperty('vcpus')
    expect(await old.json('hypervisor', 'stats', 'show')).toMatchObject({ count: 3, vcpus: 3000 })
    expect(await recent.refused('hypervisor', 'stats', 'show')).toContain('2.88')
    expect(await demo.refused('hypervisor', 'list')).toContain("Policy doesn't allow")
  })

  it('compute service', async () => {
    const { old, recent } = desk()
    const service = ['compute', 'service', 'list', '--service', 'nova-compute', '--host', 'host1-3', '--long']
    expect(column(await old.json('compute', 'service', 'list'), 'Binary')).toEqual(
      expect.arrayContaining(['nova-compute', 'nova-conductor', 'nova-scheduler']),
    )
    for (const client of [old, recent]) {
      await client.text('compute', 'service', 'set', '--disable', '--disable-reason', 'why', 'host1-3', 'nova-compute')
      expect(await client.json(...service)).toMatchObject([{ Status: 'disabled', 'Disabled Reason': 'why', State: 'up', Zone: 'nova' }])
      await client.text('compute', 'service', 'set', '--enable', 'host1-3', 'nova-compute')
      expect(await client.json(...service)).toMatchObject([{ Status: 'enabled', 'Disabled Reason': null }])
      expect(await client.refused('compute', 'service', 'set', '--disable', 'moon', 'nova-compute')).toMatch(/failed to set|not found/)
    }
    expect(await old.refused('compute', 'service', 'set', '--down', 'host1-3', 'nova-compute')).toContain('2.11')
    await recent.text('compute', 'service', 'set', '--down', 'host1-3', 'nova-compute')
    expect(await recent.json(...service)).toMatchObject([{ State: 'down', 'Forced Down': true }])
    await recent.text('compute', 'service', 'set', '--up', 'host1-3', 'nova-compute')
    expect(await recent.json(...service)).toMatchObject([{ State: 'up', 'Forced Down': false }])
    expect(await old.refused('compute', 'service', 'delete', '99999')).toContain('could not be found')
    expect(await recent.refused('compute', 'service', 'delete', '99999')).toContain('Invalid uuid')
  })

  it('host, by the old API that it always speaks', async () => {
    const { old } = desk()
    expect(column(await old.json('host', 'list'), 'Service')).toEqual(expect.arrayContaining(['compute', 'conductor', 'scheduler']))
    expect(column(await old.json('host', 'list', '--zone', 'nova'), 'Host Name')).toEqual(hosts)
    expect((await old.json('host', 'show', 'host1-2'))[0]).toEqual({
      Host: 'host1-2',
      Project: '(total)',
      CPU: 1000,
      'Memory MB': 800_000,
      'Disk GB': 600_000,
    })
    expect(await old.refused('host', 'show', 'moon')).toContain('404')
    for (const option of ['--disable', '--enable', '--enable-maintenance', '--disable-maintenance'])
      await old.text('host', 'set', option, 'host1-3')
    expect(await old.json('compute', 'service', 'list', '--host', 'host1-3')).toMatchObject([{ Status: 'enabled' }])
  })

  it('compute agent, which no version has any more', async () => {
    const { old, recent } = desk()
    const created = ['linux', 'x86_64', '1', 'http://agent.test', 'd41d8cd98f00b204e9800998ecf8427e', 'kvm']
    expect(await old.refused('compute', 'agent', 'list')).toContain('HTTP 410')
    expect(await recent.refused('compute', 'agent', 'list')).toContain('HTTP 410')
    expect(await old.refused('compute', 'agent', 'create', ...created)).toContain('HTTP 410')
    expect(await old.refused('compute', 'agent', 'set', '--agent-version', '2', '1')).toContain('HTTP 410')
    expect(await old.refused('compute', 'agent', 'delete', '1')).toContain('HTTP 410')
  })

  it('availability zone, extension and versions', async () => {
    const { old, recent, demo } = desk()
    for (const client of [old, recent]) {
      const zones = await client.json('availability', 'zone', 'list', '--compute', '--long')
      expect(zones).toContainEqual({
        'Zone Name': 'nova',
        'Zone Status': 'available',
        'Zone Resource': '',
        'Host Name': 'host1-2',
        'Service Name': 'nova-compute',
        'Service Status': expect.stringContaining('enabled :-)'),
      })
      expect(column(await client.json('extension', 'list', '--compute'), 'Alias')).toContain('os-server-groups')
    }
    expect(column(await demo.json('availability', 'zone', 'list', '--compute'), 'Zone Name')).toEqual(['nova'])
    expect(await recent.json('versions', 'show', '--service', 'compute')).toContainEqual(
      expect.objectContaining({ Version: '2.1', Status: 'CURRENT', 'Min Microversion': '2.1', 'Max Microversion': '2.104' }),
    )
  })
}
