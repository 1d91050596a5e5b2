/** Servers with `openstack`: made, found, changed, acted on, looked into, deleted. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { column, type Desk } from './desk.ts'

const from = ['--image', 'tiny', '--flavor', 'm1.nano']
const certificate = '0b5d2c72-12cc-4ba6-a8d7-3ff5cc1d8cb8'

export function serverCommands(desk: () => Desk): void {
  const script = () => join(desk().clients.dir, 'script.sh')

  it('server create', async () => {
    const { old, recent } = desk()
    writeFileSync(script(), '#!/bin/sh\necho hello\n')
    const early = await old.json(
      ...[
        'server',
        'create',
        ...from,
        '--network',
        'private',
        '--key-name',
        'k1',
        '--property',
        'a=b',
        '--user-data',
        script(),
        '--file',
        `/etc/x=${script()}`,
      ],
      ...['--password', 'secret', '--use-config-drive', '--availability-zone', 'nova', '--hint', 'foo=bar', '--wait', 'early'],
    )
    expect(early).toMatchObject({
      ...{ status: 'ACTIVE', adminPass: 'secret', config_drive: 'True', key_name: 'k1', properties: { a: 'b' } },
      ...{ flavor: 'm1.nano (42)', image: expect.stringMatching(/^tiny \(/), 'OS-EXT-STS:power_state': 1 },
    })
    expect(early).not.toHaveProperty('tags')
    const late = await recent.json(
      ...[
        'server',
        'create',
        ...from,
        '--nic',
        'auto',
        '--key-name',
        'k1',
        '--property',
        'a=b',
        '--description',
        'a server',
        '--tag',
        'one',
        '--tag',
        'two',
      ],
      ...['--host', 'host1-2', '--hostname', 'alpha', '--trusted-image-cert', certificate, '--wait', 'late'],
    )
    expect(late).toMatchObject({
      ...{ status: 'ACTIVE', description: 'a server', tags: ['one', 'two'], host_status: 'UP', locked: false, config_drive: '' },
      ...{ 'OS-EXT-SRV-ATTR:host': 'host1-2', 'OS-EXT-SRV-ATTR:hostname': 'alpha', flavor: { original_name: 'm1.nano', ram: 192 } },
      trusted_image_certificates: [certificate],
    })
    expect(
      await recent.json('server', 'create', ...from, '--nic', 'none', '--hypervisor-hostname', 'host1-3', '--wait', 'lonely'),
    ).toMatchObject({
      addresses: {},
      'OS-EXT-SRV-ATTR:hypervisor_hostname': 'host1-3',
    })
    await old.json('server', 'create', ...from, '--network', 'private', '--min', '2', '--max', '2', '--wait', 'many')
    expect(column(await old.json('server', 'list', '--name', '^many'), 'Name').sort()).toEqual(['many-1', 'many-2'])
    expect(await old.refused('server', 'create', ...from, '--nic', 'auto', '--tag', 'x', 'no')).toContain('2.52')
    expect(await recent.refused('server', 'create', ...from, '--nic', 'auto', '--swap', '1', 'no')).toContain(
      'larger than instance type allows',
    )
    expect(await recent.refused('server', 'create', ...from, '--nic', 'auto', '--availability-zone', 'moon', 'no')).toContain('HTTP 400')
    expect(await old.refused('server', 'create', ...from, '--boot-from-volume', '1', 'no')).toContain('HTTP 400')
    expect(await old.refused('server', 'create', '--volume', 'v', '--flavor', 'm1.nano', 'no')).toContain('endpoint for volume')
  })

  it('server list', async () => {
    const { old, recent, demo } = desk()
    const names = async (client: typeof old, ...args: string[]) => column(await client.json('server', 'list', ...args), 'Name').sort()
    for (const client of [old, recent]) {
      const [row] = await client.json('server', 'list', '--long', '--name', '^late$')
      expect(row).toMatchObject({ Status: 'ACTIVE', 'Power State': 1, 'Image Name': 'tiny', Host: 'host1-2', Properties: { a: 'b' } })
      expect(row).toMatchObject(
        client === old ? { 'Flavor Name': 'm1.nano', 'Flavor ID': '42' } : { Flavor: 'm1.nano', 'Host Status': 'UP' },
      )
      expect(
        await names(client, '--flavor', 'm1.nano', '--image', 'tiny', '--host', 'host1-2', '--status', 'ACTIVE', '--key-name', 'k1'),
      ).toContain('late')
      expect(await names(client, '--config-drive', '-n')).toEqual(['early'])
      expect(await names(client, '--no-config-drive', '--vm-state', 'active', '--power-state', 'running')).not.toContain('early')
      expect(await names(client, '--power-state', 'shutdown')).toEqual([])
      expect(await names(client, '--all-projects', '--user', 'admin', '--project', 'admin')).toHaveLength(5)
      expect(await names(client, '--changes-since', '2020-01-01T00:00:00Z')).toHaveLength(5)
      expect(await client.json('server', 'list', '--limit', '2', '--marker', 'late', '--name-lookup-one-by-one')).toEqual([
        expect.objectContaining({ Name: 'early', Image: 'tiny', Flavor: 'm1.nano' }),
      ])
      const ip = (await client.json('server', 'list', '--name', '^early$'))[0].Networks.private[0]
      expect(await names(client, '--ip', `^${ip.replaceAll('.', '\\.')}$`)).toEqual(['early'])
      const columns = ['Project ID', 'User ID', 'Created At', 'Security Groups'].flatMap((name) => ['-c', name])
      expect((await client.json('server', 'list', ...columns))[0]).toMatchObject({
        'Project ID': expect.any(String),
        'Created At': expect.any(String),
      })
    }
    expect(await names(recent, '--tags', 'one', '--tags', 'two', '--not-tags', 'three')).toEqual(['late'])
    expect(await names(recent, '--changes-before', '2020-01-01T00:00:00Z')).toEqual([])
    expect(await old.refused('server', 'list', '--tags', 'one')).toContain('2.26')
    expect(await old.refused('server', 'list', '--marker', 'moon')).toContain('moon')
    expect(await names(demo)).toEqual([])
  })

  it('server show, set and unset', async () => {
    const { old, recent } = desk()
    expect(await old.json('server', 'show', 'early', '--diagnostics')).toMatchObject({ memory: 196_608, vda_read: 0 })
    expect(await recent.json('server', 'show', 'early', '--diagnostics')).toMatchObject({
      driver: 'libvirt',
      num_cpus: 1,
      config_drive: true,
    })
    expect((await recent.json('server', 'show', 'late', '--topology')).topology).toEqual({ nodes: [], pagesize_kb: null })
    expect(await old.refused('server', 'show', 'late', '--topology')).toContain('2.78')
    await recent.text(
      'server',
      'set',
      '--name',
      'later',
      '--property',
      'c=d',
      '--description',
      'new',
      '--tag',
      'three',
      '--hostname',
      'beta',
      'late',
    )
    await recent.text('server', 'unset', '--property', 'a', '--tag', 'one', 'later')
    const changed = await recent.json('server', 'show', 'later')
    expect(changed).toMatchObject({ description: 'new', properties: { c: 'd' }, 'OS-EXT-SRV-ATTR:hostname': 'beta' })
    expect(changed.tags.sort()).toEqual(['three', 'two'])
    await recent.text('server', 'unset', '--description', 'later')
    expect(await recent.json('server', 'show', 'later')).toMatchObject({ description: null })
    await old.text('server', 'set', '--name', 'late', '--property', 'e=f', '--state', 'error', 'later')
    expect(await old.json('server', 'show', 'late')).toMatchObject({ status: 'ERROR', properties: { c: 'd', e: 'f' } })
    await old.text('server', 'set', '--state', 'active', '--password', 'new', 'late')
    await recent.text('server', 'set', '--no-password', 'late')
    expect(await old.json('server', 'show', 'late')).toMatchObject({ status: 'ACTIVE' })
    expect(await old.refused('server', 'set', '--description', 'x', 'late')).toContain('2.19')
  })

  it('server lock, power, pause, suspend, rescue and shelve', async () => {
    const { old, recent } = desk()
    await recent.text('server', 'lock', '--reason', 'mine', 'late')
    expect(await recent.json('server', 'show', 'late')).toMatchObject({ locked: true, locked_reason: 'mine' })
    expect(column(await recent.json('server', 'list', '--locked'), 'Name')).toEqual(['late'])
    await recent.text('server', 'unlock', 'late')
    expect(column(await recent.json('server', 'list', '--unlocked'), 'Name')).toContain('late')
    expect(await old.refused('server', 'lock', '--reason', 'x', 'late')).toContain('2.73')

    const steps: [string[], string][] = [
      [['stop', 'early'], 'SHUTOFF'],
      [['start', 'early'], 'ACTIVE'],
      [['reboot', '--soft', '--wait', 'early'], 'ACTIVE'],
      [['reboot', '--hard', '--wait', 'early'], 'ACTIVE'],
      [['pause', 'early'], 'PAUSED'],
      [['unpause', 'early'], 'ACTIVE'],
      [['suspend', 'early'], 'SUSPENDED'],
      [['resume', 'early'], 'ACTIVE'],
      [['rescue', '--image', 'tiny', '--password', 'x', 'early'], 'RESCUE'],
      [['unrescue', 'early'], 'ACTIVE'],
      [['shelve', '--offload', '--wait', 'early'], 'SHELVED_OFFLOADED'],
      [['unshelve', '--wait', 'early'], 'ACTIVE'],
    ]
    for (const client of [old, recent])
      for (const [args, status] of steps) {
        await client.text('server', ...args)
        await expect.poll(async () => (await client.json('server', 'show', 'early')).status, { timeout: 20_000 }).toBe(status)
      }
    await recent.text('server', 'shelve', '--offload', '--wait', 'late')
    await recent.text('server', 'unshelve', '--wait', '--availability-zone', 'nova', 'late')
    expect(await old.refused('server', 'unpause', 'early')).toContain("Cannot 'unpause'")
    await recent.text('server', 'dump', 'create', 'early')
    expect(await old.refused('server', 'dump', 'create', 'early')).toContain('2.1')
  })

  it('server rebuild', async () => {
    const { old, recent } = desk()
    const settled = async (name: string) => (await recent.json('server', 'show', name)).status
    expect(await old.json('server', 'rebuild', '--image', 'tiny', '--password', 'y', '--property', 'a=c', '--wait', 'early')).toMatchObject(
      {
        adminPass: 'y',
        properties: { a: 'c' },
      },
    )
    await recent.json(
      ...[
        'server',
        'rebuild',
        '--image',
        'tiny',
        '--name',
        'late2',
        '--description',
        'd',
        '--key-name',
        'k1',
        '--user-data',
        script(),
        '--hostname',
        'gamma',
      ],
      ...['--trusted-image-cert', certificate, '--property', 'q=r', '--wait', 'late'],
    )
    expect(await recent.json('server', 'show', 'late2')).toMatchObject({ description: 'd', key_name: 'k1', properties: { q: 'r' } })
    await recent.json(
      'server',
      'rebuild',
      '--no-key-name',
      '--no-user-data',
      '--no-trusted-image-certs',
      '--name',
      'late',
      '--wait',
      'late2',
    )
    expect(await recent.json('server', 'show', 'late')).toMatchObject({
      ...{ key_name: null, trusted_image_certificates: null, 'OS-EXT-SRV-ATTR:user_data': null, 'OS-EXT-SRV-ATTR:hostname': 'gamma' },
    })
    await expect.poll(() => settled('late')).toBe('ACTIVE')
    expect(await old.refused('server', 'rebuild', '--key-name', 'k1', 'late')).toContain('2.54')
  })

  it('server image create and backup create', async () => {
    const { old, recent } = desk()
    for (const [client, suffix] of [
      [old, 'old'],
      [recent, 'recent'],
    ] as const) {
      expect(
        await client.json('server', 'image', 'create', '--name', `snap-${suffix}`, '--property', 'x=y', '--wait', 'early'),
      ).toMatchObject({
        name: `snap-${suffix}`,
        properties: { x: 'y', image_type: 'snapshot' },
      })
      await client.json('server', 'backup', 'create', '--name', `backup-${suffix}`, '--type', 'daily', '--rotate', '1', '--wait', 'early')
    }
    const images = async () => column(await old.json('image', 'list', '--status', 'active'), 'Name').sort()
    await expect.poll(images).toEqual(['backup-recent', 'snap-old', 'snap-recent', 'tiny'])
  })

  it('server event', async () => {
    const { old, recent } = desk()
    const events = await old.json('server', 'event', 'list', 'early')
    expect(column(events, 'Action')).toEqual(expect.arrayContaining(['create', 'stop', 'rebuild', 'createImage', 'createBackup']))
    expect(events.at(-1)).toEqual({
      'Request ID': expect.stringMatching(/^req-/),
      'Server ID': expect.any(String),
      Action: 'create',
      'Start Time': expect.any(String),
    })
    const since = ['--changes-since', '2020-01-01T00:00:00Z', '--changes-before', '2100-01-01T00:00:00Z']
    const [newest] = await recent.json('server', 'event', 'list', '--long', ...since, '--limit', '1', 'early')
    expect(newest).toMatchObject({ Action: 'createBackup', 'Project ID': expect.any(String) })
    for (const client of [old, recent])
      expect(await client.json('server', 'event', 'show', 'early', events.at(-1)['Request ID'])).toMatchObject({
        action: 'create',
        events: [expect.objectContaining({ result: 'Success' })],
      })
    expect(await old.refused('server', 'event', 'list', '--limit', '1', 'early')).toContain('2.58')
  })

  it('console and ssh', async () => {
    const { old, recent, clients } = desk()
    expect(await old.text('console', 'log', 'show', 'early')).toContain('system is up')
    expect((await recent.text('console', 'log', 'show', '--lines', '1', 'early')).trim().split('\n')).toHaveLength(1)
    for (const client of [old, recent]) {
      expect(await client.json('console', 'url', 'show', '--novnc', 'early')).toMatchObject({
        type: 'novnc',
        url: expect.stringMatching(/^http:/),
      })
      expect(await client.json('console', 'url', 'show', '--xvpvnc', 'early')).toMatchObject({ type: 'xvpvnc' })
      for (const kind of ['--spice', '--serial', '--rdp', '--mks'])
        expect(await client.refused('console', 'url', 'show', kind, 'early')).toMatch(
          /^Unsupported console type webmks|Unavailable console type/,
        )
    }
    const called = join(clients.dir, 'called')
    writeFileSync(join(clients.dir, 'ssh'), `#!/bin/sh\necho "$*" > ${called}\n`)
    chmodSync(join(clients.dir, 'ssh'), 0o755)
    const [{ Networks }] = await old.json('server', 'list', '--name', '^early$')
    await old.text('server', 'ssh', '--private', 'early', '--', '-l', 'someone')
    expect(readFileSync(called, 'utf8')).toBe(`${Networks.private[0]} -l someone\n`)
    expect(await recent.refused('server', 'ssh', '--public', 'early')).toContain('No public IP')
  })

  it('usage', async () => {
    const { old, recent } = desk()
    for (const client of [old, recent]) {
      const [usage] = await client.json('usage', 'list')
      expect(usage['CPU Hours']).toBeGreaterThan(0)
      expect(column(usage.Servers, 'name').sort()).toEqual(['early', 'late', 'lonely', 'many-1', 'many-2'])
      expect((await client.json('usage', 'show')).Servers).toHaveLength(5)
      expect(await client.json('usage', 'show', '--project', 'demo')).toMatchObject({ Servers: '' })
      expect(await client.json('usage', 'list', '--start', '2020-01-01', '--end', '2020-02-01')).toEqual([])
    }
  })

  it('server delete and restore', async () => {
    const { old, recent } = desk()
    await old.text('server', 'delete', 'late', 'lonely')
    expect(await recent.refused('server', 'delete', 'moon')).toContain('moon')
    const restorable = async () => await old.json('server', 'list', '--deleted', '--status', 'SOFT_DELETED')
    await expect.poll(restorable, { timeout: 20_000 }).toHaveLength(2)
    const ids = column(await restorable(), 'ID')
    await recent.text('server', 'restore', ...ids)
    await expect
      .poll(async () => column(await recent.json('server', 'list'), 'Name').sort())
      .toEqual(['early', 'late', 'lonely', 'many-1', 'many-2'])
    await old.text('server', 'delete', '--force', '--wait', 'early', 'late')
    await recent.text('server', 'delete', '--force', '--wait', 'lonely', 'many-1', 'many-2')
    expect(await old.json('server', 'list')).toEqual([])
    expect(await old.json('port', 'list', '--device-owner', 'compute:nova')).toEqual([])
    expect(column(await old.json('server', 'list', '--deleted', '--name', '^early$'), 'Status')).toEqual(['DELETED'])
  })
}
