/** The first day of a new user, with the real `openstack` client, on pretended guests. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, type Clients, hasClients, startClients } from '../support/client.ts'
import { hasOpenstack, type ServeProcess, serve } from '../support/process.ts'

describe.skipIf(!(hasOpenstack && hasClients) && !process.env.CI)('the openstack client', () => {
  let cloud: ServeProcess
  let clients: Clients
  let client: Client
  beforeAll(async () => {
    cloud = await serve({ driver: 'fake' })
    clients = await startClients(cloud)
    client = clients.openstack()
  })
  afterAll(async () => {
    await clients?.[Symbol.asyncDispose]()
    await cloud?.[Symbol.asyncDispose]()
  })

  it('finds everything that a newcomer looks for', async () => {
    expect(await cloud.json('token', 'issue')).toMatchObject({ project_id: expect.any(String) })
    const catalog = (await cloud.json('catalog', 'list')).map((entry: { Type: string }) => entry.Type).sort()
    expect(catalog).toEqual(['compute', 'identity', 'image', 'network', 'placement'])
    expect((await cloud.json('flavor', 'list')).map((flavor: { Name: string }) => flavor.Name)).toContain('m1.nano')
    expect((await cloud.json('image', 'list')).map((image: { Name: string }) => image.Name)).toContain('tiny')
    expect((await cloud.json('network', 'list')).map((network: { Name: string }) => network.Name)).toEqual(
      expect.arrayContaining(['private', 'public']),
    )
    expect(await cloud.json('hypervisor', 'list')).toHaveLength(1)
    const services = (await cloud.json('compute', 'service', 'list')).map((service: { Binary: string; State: string }) => [
      service.Binary,
      service.State,
    ])
    expect(services).toEqual(
      expect.arrayContaining([
        ['nova-compute', 'up'],
        ['nova-scheduler', 'up'],
        ['nova-conductor', 'up'],
      ]),
    )
  })

  it('brings up a server, works with it and takes it away', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'minicloud-key-'))
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')])
    writeFileSync(join(dir, 'script.sh'), '#!/bin/sh\necho hello\n')
    await client.text('keypair', 'create', '--public-key', join(dir, 'key.pub'), 'me')
    const created = await client.json(
      ...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--key-name', 'me'],
      ...['--user-data', join(dir, 'script.sh'), '--wait', 'web1'],
    )
    expect(created).toMatchObject({ status: 'ACTIVE', name: 'web1', key_name: 'me' })
    expect(await client.text('console', 'log', 'show', 'web1')).toContain('web1')
    expect((await client.json('console', 'url', 'show', '--novnc', 'web1')).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/console\//)

    const status = async () => (await client.json('server', 'show', 'web1')).status
    const steps: [string[], string][] = [
      [['stop'], 'SHUTOFF'],
      [['start'], 'ACTIVE'],
      [['reboot', '--wait'], 'ACTIVE'],
      [['reboot', '--hard', '--wait'], 'ACTIVE'],
      [['pause'], 'PAUSED'],
      [['unpause'], 'ACTIVE'],
      [['suspend'], 'SUSPENDED'],
      [['resume'], 'ACTIVE'],
    ]
    for (const [[action = '', ...flags], expected] of steps) {
      await client.text('server', action, ...flags, 'web1')
      await expect.poll(status, { timeout: 20_000 }).toBe(expected)
    }
    expect((await client.json('server', 'event', 'list', 'web1')).map((event: { Action: string }) => event.Action)).toContain('create')
    await client.text('server', 'delete', '--wait', 'web1')
    expect(await client.json('server', 'list')).toEqual([])
    expect(await client.json('port', 'list', '--device-owner', 'compute:nova')).toEqual([])
  })

  it('manages identities, images, networks and groups', async () => {
    const names = async (...args: string[]) => (await client.json(...args)).map((entry: { Name: string }) => entry.Name)
    await client.text('project', 'create', 'lab')
    await client.text('user', 'create', '--project', 'lab', '--password', 'secret', 'ann')
    await client.text('role', 'add', '--project', 'lab', '--user', 'ann', 'member')
    expect(await client.json('role', 'assignment', 'list', '--user', 'ann', '--names')).toHaveLength(1)
    await client.text('network', 'create', 'net1')
    await client.text('subnet', 'create', '--network', 'net1', '--subnet-range', '192.0.2.0/24', 'sub1')
    await client.text('security', 'group', 'create', 'web')
    await client.text('security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '80', 'web')
    await client.text('port', 'create', '--network', 'net1', '--security-group', 'web', 'port1')
    expect(await names('port', 'list')).toContain('port1')
    await client.text('port', 'delete', 'port1')
    await client.text('network', 'delete', 'net1')
    await client.text('security', 'group', 'delete', 'web')
    await client.text('user', 'delete', 'ann')
    await client.text('project', 'delete', 'lab')
    expect(await names('project', 'list')).not.toContain('lab')
  })

  it('lets an ordinary project work and keeps it out of others', async () => {
    const demo = clients.openstack({ cloud: 'minicloud-demo' })
    await demo.text('server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', 'mine')
    expect(await demo.json('server', 'list')).toHaveLength(1)
    await expect(demo.text('hypervisor', 'list')).rejects.toThrow(/Policy doesn't allow/)
    expect(await client.json('server', 'list')).toEqual([])
    expect(await client.json('server', 'list', '--all-projects')).toHaveLength(1)
    await demo.text('server', 'delete', '--wait', 'mine')
  })
})
