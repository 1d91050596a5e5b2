/** Every sub-command of the real `nova` on two pretended hosts: an old server's day and a new one's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Clients, hasClients, startClients } from '../support/client.ts'
import { type ServeProcess, serve } from '../support/process.ts'
import { novaHostCommands } from './client/nova-hosts.ts'
import { becomes, novaServerCommands } from './client/nova-servers.ts'

/** Sub-commands that ask no cloud for anything. */
const local = ['bash-completion', 'help']

describe.skipIf(!hasClients && !process.env.CI)('nova', () => {
  let cloud: ServeProcess
  let clients: Clients
  beforeAll(async () => {
    const env = {
      MINICLOUD_FAKE_HOSTS: '2',
      MINICLOUD_COMPUTE_HOST: 'host1',
      MINICLOUD_FAKE_LIVE_MIGRATION_DELAY_MS: '10000',
      MINICLOUD_RECLAIM_INSTANCE_INTERVAL: '3600',
    }
    cloud = await serve({ driver: 'fake', env })
    clients = await startClients(cloud)
  })
  afterAll(async () => {
    await clients?.[Symbol.asyncDispose]()
    await cloud?.[Symbol.asyncDispose]()
  })

  it.each(['2.1', '2.53', undefined])('at %s takes a server through its life', async (version) => {
    const nova = clients.nova({ version })
    await nova.text('boot', '--image', 'tiny', '--flavor', 'm1.nano', '--nic', 'net-name=private', '--meta', 'a=b', '--poll', 's')
    await becomes(nova, 's', 'ACTIVE')
    expect(await nova.text('list')).toMatch(/\| s +\| ACTIVE +\| - +\| Running +\| private=10\./)
    expect(await nova.text('diagnostics', 's')).toMatch(/memory|num_cpus/)
    const steps: [string[], string][] = [
      [['pause', 's'], 'PAUSED'],
      [['unpause', 's'], 'ACTIVE'],
      [['stop', 's'], 'SHUTOFF'],
      [['start', 's'], 'ACTIVE'],
      [['reboot', '--poll', 's'], 'ACTIVE'],
      [['resize', '--poll', 's', 'm1.micro'], 'VERIFY_RESIZE'],
      [['resize-confirm', 's'], 'ACTIVE'],
      [['migrate', '--poll', 's'], 'VERIFY_RESIZE'],
      [['resize-revert', 's'], 'ACTIVE'],
      [['rebuild', '--poll', 's', 'tiny'], 'ACTIVE'],
      [['shelve', 's'], 'SHELVED_OFFLOADED'],
      [['unshelve', 's'], 'ACTIVE'],
      [['reset-state', 's'], 'ERROR'],
      [['reset-state', '--active', 's'], 'ACTIVE'],
    ]
    for (const [args, status] of steps) {
      await nova.text(...args)
      await becomes(nova, 's', status)
    }
    expect(await nova.refused('unpause', 's')).toContain("Cannot 'unpause'")
    expect(await nova.text('interface-list', 's')).toContain('ACTIVE')
    expect(await nova.text('list-secgroup', 's')).toContain('default')
    expect(await nova.text('instance-action-list', 's')).toContain('rebuild')
    expect(await nova.text('migration-list')).toMatch(/confirmed[\s\S]*reverted|reverted[\s\S]*confirmed/)
    expect(await nova.text('console-log', 's')).toContain('system is up')
    expect(await nova.text('get-vnc-console', 's', 'novnc')).toContain('http://')
    if (version !== '2.1') {
      await nova.text('server-tag-add', 's', 'x', 'y')
      expect(await nova.text('server-tag-list', 's')).toMatch(/\| x +\|\n\| y/)
    }
    await nova.text('image-create', '--poll', 's', 'picture')
    await nova.text('force-delete', 's')
    await expect.poll(async () => await nova.text('list'), { timeout: 20_000 }).not.toContain('ACTIVE')
  })

  it.each(['2.1', '2.53', undefined])('at %s shows what an administrator asks for', async (version) => {
    const nova = clients.nova({ version })
    const asked: [string[], RegExp][] = [
      [['service-list'], /nova-compute +\| host1-2 +\| nova +\| enabled +\| up/],
      [['hypervisor-list'], /host1-2 +\| up +\| enabled/],
      [['hypervisor-servers', 'host1'], /Hypervisor Hostname/],
      [['availability-zone-list'], /nova-compute[\s\S]*enabled :-\)/],
      [['flavor-list', '--extra-specs'], /m1\.nano +\| 192/],
      [['flavor-show', 'm1.nano'], /os-flavor-access:is_public +\| True/],
      [['quota-show'], /\| instances +\| 10/],
      [['quota-defaults'], /\| cores +\| 20/],
      [['quota-class-show', 'default'], /\| ram +\| 51200/],
      [['limits'], /\| Instances +\| 0 +\| 10/],
      [['usage'], /CPU Hours/],
      [['usage-list'], /Tenant ID/],
      [['version-list'], /\| v2\.1 +\| CURRENT +\|[^|]*\| 2\.1 +\| 2\.104/],
      [['keypair-list'], /Fingerprint/],
      [['instance-usage-audit-log'], /overall_status/],
    ]
    for (const [args, said] of asked) expect(await nova.text(...args), args.join(' ')).toMatch(said)
    expect(await nova.text('aggregate-create', 'a', 'z')).toMatch(/\| a +\| z/)
    expect(await nova.text('aggregate-add-host', 'a', 'host1-2')).toContain('host1-2')
    expect(await nova.refused('aggregate-delete', 'a')).toContain('not empty')
    await nova.text('aggregate-remove-host', 'a', 'host1-2')
    await nova.text('aggregate-delete', 'a')
    expect(await nova.text('server-group-create', 'g', 'affinity')).toContain('affinity')
    const [id = ''] = /[\da-f]{8}-[\da-f-]{27}/.exec(await nova.text('server-group-list')) ?? []
    await nova.text('server-group-delete', id)
    await nova.text('flavor-create', 'f', 'auto', '64', '1', '1')
    await nova.text('flavor-key', 'f', 'set', 'hw:cpu_policy=shared')
    expect(await nova.text('flavor-show', 'f')).toContain('hw:cpu_policy')
    await nova.text('flavor-delete', 'f')
  })

  novaServerCommands(() => clients)
  novaHostCommands(() => clients)

  it('has no sub-command that was not run above', async () => {
    const help = await clients.nova().text('help')
    const commands = [...help.matchAll(/^ {4}([a-z][a-z-]+)(?: |$)/gm)].map(([, command = '']) => command)
    expect(commands.length).toBeGreaterThan(100)
    expect(commands.filter((command) => !local.includes(command) && !clients.ran.has(`nova ${command}`))).toEqual([])
  })
})
