/** Hosts, moves, flavors and quotas with `nova`, for administrators. A line is a command; no argument here has a space in it. */
import { expect, it } from 'vitest'
import type { Client, Clients } from '../../support/client.ts'
import { becomes, uuidIn, words } from './nova-servers.ts'

const rowOf = (table: string, text: string): string => table.split('\n').find((line) => line.includes(text)) ?? ''

export function novaHostCommands(clients: () => Clients): void {
  const service = async (client: Client) => uuidIn(rowOf(await client.text('service-list', '--binary', 'nova-compute'), 'host1-2'))

  it('service-*', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    const id = await service(recent)
    for (const [client, named] of [
      [old, 'host1-2'],
      [recent, id],
    ] as const) {
      await client.text('service-disable', '--reason', 'mending', named)
      expect(rowOf(await client.text('service-list'), 'host1-2')).toMatch(/disabled .* mending/)
      await client.text('service-enable', named)
      expect(rowOf(await client.text('service-list'), 'host1-2')).toContain('enabled')
    }
    await recent.text('service-force-down', id)
    expect(rowOf(await recent.text('service-list'), 'host1-2')).toMatch(/down .* True/)
    await recent.text('service-force-down', '--unset', id)
    expect(rowOf(await recent.text('service-list'), 'host1-2')).toMatch(/up .* False/)
    expect(await recent.refused('service-delete', '22222222-2222-4222-8222-222222222222')).toContain('404')
  })

  it('hypervisor-*, aggregate-* and agent-*', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    // nova asks for images by a name that images have not (names), so an id is what it finds.
    const { id: image } = await clients().openstack().json('image', 'show', 'tiny')
    expect(await old.text('hypervisor-stats')).toMatch(/\| count +\| 2/)
    expect(await recent.refused('hypervisor-stats')).toContain('2.88')
    expect(await old.text('hypervisor-uptime', 'host1')).toContain('load average')
    const id = uuidIn(rowOf(await recent.text('hypervisor-list'), '| host1 '))
    expect(await recent.text('hypervisor-show', id)).toContain('load average')
    expect(await recent.refused('hypervisor-show', 'host1')).toContain('Invalid uuid host1')
    for (const client of [old, recent]) {
      await client.text('aggregate-create', 'a')
      await client.text('aggregate-set-metadata', 'a', 'ssd=true')
      await client.text('aggregate-update', 'a', '--name', 'b', '--availability-zone', 'z')
      expect(await client.text('aggregate-show', 'b')).toMatch(/availability_zone=z.*ssd=true/)
      expect(await client.text('aggregate-list')).toMatch(/\| b +\| z/)
      if (client === recent) await client.text('aggregate-cache-images', 'b', image)
      await client.text('aggregate-delete', 'b')
      for (const line of ['agent-list', 'agent-create a b c http://x d e', 'agent-delete 1', 'agent-modify 1 2 http://x d'])
        expect(await client.refused(...words(line)), line).toContain('410')
    }
  })

  it('flavor-access-*, flavor-update and quota-*', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    const project = /\| ([\da-f]{32}) /.exec(await recent.text('usage-list'))?.[1] ?? ''
    for (const client of [old, recent]) {
      await client.text('flavor-create', '--is-public', 'false', 'f', 'auto', '64', '1', '1')
      expect(await client.text('flavor-access-add', 'f', project)).toContain(project)
      expect(await client.text('flavor-access-list', '--flavor', 'f')).toContain(project)
      await client.text('flavor-access-remove', 'f', project)
      if (client === recent) expect(await client.text('flavor-update', 'f', 'said')).toContain('said')
      await client.text('flavor-delete', 'f')
      await client.text('quota-update', '--cores', '7', project)
      expect(await client.text('quota-show', '--tenant', project)).toMatch(/\| cores +\| 7/)
      await client.text('quota-delete', '--tenant', project)
      expect(await client.text('quota-show', '--tenant', project)).toMatch(/\| cores +\| 20/)
      await client.text('quota-class-update', '--cores', '21', 'default')
      expect(await client.text('quota-class-show', 'default')).toMatch(/\| cores +\| 21/)
      await client.text('quota-class-update', '--cores', '20', 'default')
    }
  })

  it('moves servers alive, one and all of a host', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    const run = (line: string) => recent.text(...words(line))
    const host = async () => /OS-EXT-SRV-ATTR:host +\| ([\w-]+)/.exec(await run('show m'))?.[1]
    await run('boot --image tiny --flavor m1.nano --nic net-name=private --availability-zone nova:host1 --poll m')
    const under = async () => {
      const list = () => run('server-migration-list m')
      await expect.poll(list, { timeout: 20_000 }).toContain('running')
      return /\| (\d+) /.exec(await list())?.[1] ?? ''
    }
    await old.text('live-migration', '--block-migrate', 'm', 'host1-2')
    const first = await under()
    expect(await run(`server-migration-show m ${first}`)).toMatch(/dest_compute +\| host1-2/)
    await run(`live-migration-abort m ${first}`)
    await becomes(recent, 'm', 'ACTIVE')
    expect(await host()).toBe('host1')
    await run('live-migration m')
    await run(`live-migration-force-complete m ${await under()}`)
    await expect.poll(host, { timeout: 20_000 }).toBe('host1-2')
    await becomes(recent, 'm', 'ACTIVE')
    expect(await run('host-evacuate-live host1-2')).toMatch(/True/)
    await run(`live-migration-force-complete m ${await under()}`)
    await expect.poll(host, { timeout: 20_000 }).toBe('host1')
    await becomes(recent, 'm', 'ACTIVE')
    expect(await run('host-servers-migrate host1')).toMatch(/True/)
    await becomes(recent, 'm', 'VERIFY_RESIZE')
    await run('resize-confirm m')
    await becomes(recent, 'm', 'ACTIVE')
    for (const client of [old, recent]) {
      await client.text('host-meta', 'host1-2', 'set', 'a=b')
      expect(await client.text('show', 'm')).toContain('"a": "b"')
      await client.text('host-meta', 'host1-2', 'delete', 'a')
    }
  })

  it('evacuates one server and all of a host', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    const host = async () => /OS-EXT-SRV-ATTR:host +\| ([\w-]+)/.exec(await recent.text('show', 'm'))?.[1]
    expect(await recent.refused('evacuate', 'm')).toContain('HTTP 400')
    const services = await recent.text('service-list', '--binary', 'nova-compute')
    const idOf = (name: string) => uuidIn(rowOf(services, `| ${name} `))
    for (const [from, to, line] of [
      ['host1-2', 'host1', 'evacuate m'],
      ['host1', 'host1-2', 'host-evacuate host1'],
    ] as const) {
      expect(await host()).toBe(from)
      await recent.text('service-force-down', idOf(from))
      await recent.text(...words(line))
      await expect.poll(host, { timeout: 20_000 }).toBe(to)
      await becomes(recent, 'm', 'ACTIVE')
      await recent.text('service-force-down', '--unset', idOf(from))
    }
    await old.text('force-delete', 'm')
    await expect.poll(async () => await recent.text('list'), { timeout: 20_000 }).not.toContain('| m ')
  })
}
