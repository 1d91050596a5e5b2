/** Flavors, key pairs, server groups, quotas, limits and usage with `openstack`. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { column, type Desk } from './desk.ts'

export function projectCommands(desk: () => Desk): void {
  it('flavor', async () => {
    const { old, recent } = desk()
    const created = await recent.json(
      ...[
        'flavor',
        'create',
        '--id',
        'auto',
        '--ram',
        '64',
        '--disk',
        '1',
        '--ephemeral',
        '1',
        '--swap',
        '32',
        '--vcpus',
        '2',
        '--rxtx-factor',
        '2',
      ],
      ...['--private', '--property', 'hw:cpu_policy=shared', '--project', 'demo', '--description', 'two cores', 'f1'],
    )
    expect(created).toMatchObject({
      description: 'two cores',
      'os-flavor-access:is_public': false,
      ram: 64,
      rxtx_factor: 2,
      swap: 32,
      vcpus: 2,
    })
    expect(await old.json('flavor', 'create', '--ram', '64', '--disk', '1', '--vcpus', '2', 'f2')).toMatchObject({
      swap: '',
      description: null,
    })
    for (const client of [old, recent]) {
      const listed = await client.json('flavor', 'list', '--all', '--long')
      expect(listed).toContainEqual(
        expect.objectContaining({ Name: 'f1', Swap: 32, 'Is Public': false, Properties: { 'hw:cpu_policy': 'shared' } }),
      )
      expect(column(await client.json('flavor', 'list', '--private'), 'Name')).toEqual(['f1'])
      expect(column(await client.json('flavor', 'list'), 'Name')).not.toContain('f1')
      expect(column(await client.json('flavor', 'list', '--min-ram', '4000', '--min-disk', '50', '--marker', '3'), 'ID')).toEqual([
        '4',
        '5',
      ])
    }
    await recent.text(
      'flavor',
      'set',
      '--no-property',
      '--property',
      'hw:cpu_policy=dedicated',
      '--description',
      'other',
      '--project',
      'admin',
      'f1',
    )
    const shown = await recent.json('flavor', 'show', 'f1')
    expect(shown).toMatchObject({ description: 'other', properties: { 'hw:cpu_policy': 'dedicated' } })
    expect(shown.access_project_ids).toHaveLength(2)
    await old.text('flavor', 'unset', '--property', 'hw:cpu_policy', '--project', 'admin', 'f1')
    const rest = await old.json('flavor', 'show', 'f1')
    expect(rest).toMatchObject({ properties: {} })
    expect(rest.access_project_ids).toHaveLength(1)
    expect(await recent.refused('flavor', 'unset', '--property', 'hw:cpu_policy', 'f1')).toContain('has no extra specs')
    expect(await recent.refused('flavor', 'set', '--property', 'hw:nonsense=1', 'f1')).toContain('Validation failed')
    expect(await old.refused('flavor', 'set', '--description', 'x', 'f1')).toContain('2.55')
    expect(await old.refused('flavor', 'create', '--id', '1', '--ram', '64', '--vcpus', '1', 'f3')).toContain('already exists')
    expect(await old.refused('flavor', 'show', 'moon')).toContain('moon')
    await recent.text('flavor', 'delete', 'f1', 'f2')
    expect(column(await recent.json('flavor', 'list', '--all'), 'Name')).not.toContain('f2')
  })

  it('keypair', async () => {
    const { old, recent, at, clients } = desk()
    const key = join(clients.dir, 'key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    expect(await recent.json('keypair', 'create', '--public-key', `${key}.pub`, 'k1')).toMatchObject({ name: 'k1', type: 'ssh' })
    expect(await recent.refused('keypair', 'create', 'k2')).toContain("'public_key' is a required property")
    expect(await old.text('keypair', 'create', 'k2')).toContain('PRIVATE KEY')
    await at('2.90').json('keypair', 'create', '--private-key', join(clients.dir, 'k3'), 'k3')
    expect(readFileSync(join(clients.dir, 'k3'), 'utf8')).toContain('PRIVATE KEY')
    expect(await old.refused('keypair', 'create', '--type', 'x509', 'k4')).toContain('2.2')
    await recent.json('keypair', 'create', '--user', 'demo', '--public-key', `${key}.pub`, 'theirs')
    expect(await old.json('keypair', 'list')).toEqual(['k1', 'k2', 'k3'].map((Name) => ({ Name, Fingerprint: expect.any(String) })))
    expect(await recent.json('keypair', 'list', '--marker', 'k2')).toMatchObject([{ Name: 'k3', Type: 'ssh' }])
    expect(column(await recent.json('keypair', 'list', '--user', 'demo'), 'Name')).toEqual(['theirs'])
    expect(column(await recent.json('keypair', 'list', '--project', 'demo'), 'Name')).toContain('theirs')
    expect(await old.json('keypair', 'show', 'k1')).toMatchObject({ name: 'k1', fingerprint: expect.stringMatching(/^([\da-f]{2}:){15}/) })
    expect((await recent.text('keypair', 'show', '--public-key', 'k1')).trim()).toBe(readFileSync(`${key}.pub`, 'utf8').trim())
    expect(await recent.json('keypair', 'show', '--user', 'demo', 'theirs')).toMatchObject({ name: 'theirs' })
    expect(await recent.refused('keypair', 'delete', 'k2', 'k3', 'moon')).toContain('1 of 3')
    expect(column(await recent.json('keypair', 'list'), 'Name')).toEqual(['k1'])
  })

  it('server group', async () => {
    const { old, recent } = desk()
    expect(await old.json('server', 'group', 'create', '--policy', 'anti-affinity', 'g1')).toMatchObject({
      policies: ['anti-affinity'],
      members: [],
    })
    const ruled = ['server', 'group', 'create', '--policy', 'anti-affinity', '--rule', 'max_server_per_host=2', 'g2']
    expect(await recent.json(...ruled)).toMatchObject({
      policy: 'anti-affinity',
      rules: { max_server_per_host: 2 },
      project_id: expect.any(String),
    })
    expect(await old.refused(...ruled)).toContain('2.64')
    expect(await old.refused('server', 'group', 'create', '--policy', 'soft-affinity', 'g3')).toContain('2.15')
    expect(column(await recent.json('server', 'group', 'list', '--long'), 'Policy')).toEqual(['anti-affinity', 'anti-affinity'])
    expect(column(await old.json('server', 'group', 'list', '--all-projects'), 'Policies')).toEqual([['anti-affinity'], ['anti-affinity']])
    expect(await recent.json('server', 'group', 'show', 'g2')).toMatchObject({ rules: { max_server_per_host: 2 } })
    expect(await old.json('server', 'group', 'show', 'g2')).not.toHaveProperty('rules')
    await recent.text('server', 'group', 'delete', 'g1', 'g2')
    expect(await old.json('server', 'group', 'list')).toEqual([])
  })

  it('quota and limits', async () => {
    const { old, recent, demo } = desk()
    expect(await old.json('quota', 'show', 'demo')).toMatchObject({
      instances: 10,
      cores: 20,
      ram: 51_200,
      'injected-files': 5,
      'floating-ips': 50,
    })
    expect(await recent.json('quota', 'show', '--default')).toMatchObject({ instances: 10, 'server-groups': 10 })
    expect(await recent.json('quota', 'show', '--class', 'default')).toMatchObject({ instances: 10 })
    const sizes = [
      '--instances',
      '7',
      '--cores',
      '9',
      '--ram',
      '1000',
      '--key-pairs',
      '3',
      '--server-groups',
      '4',
      '--server-group-members',
      '5',
    ]
    await recent.text('quota', 'set', ...sizes, '--properties', '6', 'demo')
    await old.text(
      'quota',
      'set',
      '--injected-files',
      '3',
      '--injected-file-size',
      '2',
      '--injected-path-size',
      '9',
      '--fixed-ips',
      '3',
      'demo',
    )
    const [listed] = await old.json('quota', 'list', '--compute')
    expect(listed).toMatchObject({ Instances: 7, Cores: 9, Ram: 1000, 'Key Pairs': 3, 'Metadata Items': 6, 'Injected Files': 3 })
    expect(await recent.json('quota', 'list', '--compute')).toMatchObject([{ Instances: 7, 'Server Groups': 4, 'Server Group Members': 5 }])
    expect(await recent.json('quota', 'list', '--detail', '--compute')).toContainEqual({
      Resource: 'instances',
      'In Use': 0,
      Reserved: 0,
      Limit: 10,
    })
    expect(await recent.refused('quota', 'set', '--instances', '-5', 'demo')).toContain('less than the minimum')
    await recent.text('quota', 'set', '--class', '--instances', '12', 'default')
    expect(await old.json('quota', 'show', '--class', 'default')).toMatchObject({ instances: 12 })
    await recent.text('quota', 'set', '--class', '--instances', '10', 'default')

    const limits = async (client: typeof old, ...args: string[]) =>
      Object.fromEntries(
        (await client.json('limits', 'show', '--absolute', ...args)).map((row: Record<string, unknown>) => [row.Name, row.Value]),
      )
    expect(await limits(demo)).toMatchObject({ maxTotalInstances: 7, maxPersonality: 3, maxTotalRAMSize: 1000, totalInstancesUsed: 0 })
    const recently = await limits(recent, '--project', 'demo')
    expect(recently).toMatchObject({ maxTotalInstances: 7, maxServerGroups: 4 })
    expect(recently).not.toHaveProperty('maxPersonality')
    expect(await old.json('limits', 'show', '--rate')).toEqual([])
  })
}
