/** The first day of a new user, with the real `openstack` client, on pretended guests. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasOpenstack, openstack, type ServeProcess, serve } from '../support/process.ts'

describe.skipIf(!hasOpenstack && !process.env.CI)('the openstack client', () => {
  let cloud: ServeProcess
  beforeAll(async () => {
    cloud = await serve({ driver: 'fake' })
  })
  afterAll(() => cloud?.[Symbol.asyncDispose]())

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
    await cloud.openstack('keypair', 'create', '--public-key', join(dir, 'key.pub'), 'me')
    const created = await cloud.json(
      ...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--key-name', 'me'],
      ...['--user-data', join(dir, 'script.sh'), '--wait', 'web1'],
    )
    expect(created).toMatchObject({ status: 'ACTIVE', name: 'web1', key_name: 'me' })
    expect(await cloud.openstack('console', 'log', 'show', 'web1')).toContain('web1')
    expect((await cloud.json('console', 'url', 'show', '--novnc', 'web1')).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/console\//)

    const status = async () => (await cloud.json('server', 'show', 'web1')).status
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
      await cloud.openstack('server', action, ...flags, 'web1')
      await expect.poll(status, { timeout: 20_000 }).toBe(expected)
    }
    expect((await cloud.json('server', 'event', 'list', 'web1')).map((event: { Action: string }) => event.Action)).toContain('create')
    await cloud.openstack('server', 'delete', '--wait', 'web1')
    expect(await cloud.json('server', 'list')).toEqual([])
    expect(await cloud.json('port', 'list', '--device-owner', 'compute:nova')).toEqual([])
  })

  it('manages identities, images, networks and groups', async () => {
    const names = async (...args: string[]) => (await cloud.json(...args)).map((entry: { Name: string }) => entry.Name)
    await cloud.openstack('project', 'create', 'lab')
    await cloud.openstack('user', 'create', '--project', 'lab', '--password', 'secret', 'ann')
    await cloud.openstack('role', 'add', '--project', 'lab', '--user', 'ann', 'member')
    expect(await cloud.json('role', 'assignment', 'list', '--user', 'ann', '--names')).toHaveLength(1)
    await cloud.openstack('network', 'create', 'net1')
    await cloud.openstack('subnet', 'create', '--network', 'net1', '--subnet-range', '192.0.2.0/24', 'sub1')
    await cloud.openstack('security', 'group', 'create', 'web')
    await cloud.openstack('security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '80', 'web')
    await cloud.openstack('port', 'create', '--network', 'net1', '--security-group', 'web', 'port1')
    expect(await names('port', 'list')).toContain('port1')
    await cloud.openstack('port', 'delete', 'port1')
    await cloud.openstack('network', 'delete', 'net1')
    await cloud.openstack('security', 'group', 'delete', 'web')
    await cloud.openstack('user', 'delete', 'ann')
    await cloud.openstack('project', 'delete', 'lab')
    expect(await names('project', 'list')).not.toContain('lab')
  })

  it('lets an ordinary project work and keeps it out of others', async () => {
    const asDemo = (...args: string[]) => openstack(cloud.ready.clouds_yaml, args, 'minicloud-demo')
    await asDemo('server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', 'mine')
    expect(JSON.parse(await asDemo('server', 'list', '-f', 'json'))).toHaveLength(1)
    await expect(asDemo('hypervisor', 'list')).rejects.toThrow(/Policy doesn't allow/)
    expect(await cloud.json('server', 'list')).toEqual([])
    expect(await cloud.json('server', 'list', '--all-projects')).toHaveLength(1)
    await asDemo('server', 'delete', '--wait', 'mine')
  })
})
