/** Ports, addresses, security groups and volumes of a server with `openstack`. */
import { expect, it } from 'vitest'
import { column, type Desk } from './desk.ts'

export function serverNetworkCommands(desk: () => Desk): void {
  const addresses = async () => (await desk().old.json('server', 'show', 'wired')).addresses

  it('server add and remove port, network and fixed ip', async () => {
    const { old, recent } = desk()
    await old.json('server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', 'wired')
    await old.json('network', 'create', 'net1')
    await old.json('subnet', 'create', '--network', 'net1', '--subnet-range', '192.0.2.0/24', 'sub1')
    await old.json('port', 'create', '--network', 'net1', 'port1')
    await recent.text('server', 'add', 'port', '--tag', 'eth', 'wired', 'port1')
    expect((await addresses()).net1).toHaveLength(1)
    await old.text('server', 'remove', 'port', 'wired', 'port1')
    expect(await addresses()).not.toHaveProperty('net1')
    for (const client of [old, recent]) {
      await client.text('server', 'add', 'network', 'wired', 'net1')
      expect((await addresses()).net1).toHaveLength(1)
      await client.text('server', 'remove', 'network', 'wired', 'net1')
      expect(await addresses()).not.toHaveProperty('net1')
    }
    expect(
      await recent.json('server', 'add', 'fixed', 'ip', '--fixed-ip-address', '192.0.2.50', '--tag', 'x', 'wired', 'net1'),
    ).toMatchObject({
      'Fixed IPs': [expect.objectContaining({ ip_address: '192.0.2.50' })],
      Tag: 'x',
    })
    await old.json('server', 'add', 'fixed', 'ip', 'wired', 'net1')
    expect((await addresses()).net1).toHaveLength(2)
    // This command calls a method that novaclient no longer has.
    expect(await old.refused('server', 'remove', 'fixed', 'ip', 'wired', '192.0.2.50')).toContain('remove_fixed_ip')
    expect(await old.refused('server', 'add', 'port', '--tag', 'x', 'wired', 'port1')).toContain('2.49')
    expect(await old.refused('server', 'add', 'network', 'wired', 'moon')).toContain('moon')
  })

  it('server add and remove floating ip', async () => {
    const { old, recent } = desk()
    // The client takes whichever port it is told of first, and one with two addresses is refused.
    await old.text('server', 'remove', 'network', 'wired', 'net1')
    for (const client of [old, recent]) {
      const { floating_ip_address: address } = await client.json('floating', 'ip', 'create', 'public')
      await client.text('server', 'add', 'floating', 'ip', 'wired', address)
      expect((await addresses()).private).toContain(address)
      await client.text('server', 'remove', 'floating', 'ip', 'wired', address)
      expect((await addresses()).private).not.toContain(address)
      await client.text('floating', 'ip', 'delete', address)
    }
  })

  it('server add and remove security group', async () => {
    const { old, recent } = desk()
    const groups = async () => column((await old.json('server', 'show', 'wired')).security_groups, 'name')
    await old.json('security', 'group', 'create', 'web')
    for (const client of [old, recent]) {
      await client.text('server', 'add', 'security', 'group', 'wired', 'web')
      expect(await groups()).toContain('web')
      await client.text('server', 'remove', 'security', 'group', 'wired', 'web')
      expect(await groups()).not.toContain('web')
    }
  })

  it('server volume, where there is no volume service', async () => {
    const { old, recent } = desk()
    for (const client of [old, recent]) {
      expect(await client.refused('server', 'add', 'volume', 'wired', 'v')).toContain('endpoint for block-storage')
      expect(await client.refused('server', 'remove', 'volume', 'wired', 'v')).toContain('endpoint for block-storage')
      expect(await client.json('server', 'volume', 'list', 'wired')).toEqual([])
    }
    expect(await old.refused('server', 'volume', 'update', '--delete-on-termination', 'wired', 'v')).toContain('2.85')
    expect(await recent.refused('server', 'volume', 'update', '--delete-on-termination', 'wired', 'v')).toContain("is not a 'uuid'")
    await old.text('server', 'delete', '--force', '--wait', 'wired')
    expect(column(await old.json('port', 'list', '--network', 'net1'), 'Name')).toContain('port1')
    expect(await old.json('port', 'list', '--device-owner', 'compute:nova')).toEqual([])
  })
}
