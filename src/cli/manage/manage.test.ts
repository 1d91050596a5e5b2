/** nova-manage's commands on the database of a cloud that runs. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestCloud, type TestCloud } from '../../../test/support/cloud.ts'
import { runCommandLine } from '../index.ts'
import { dateIn } from './db.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-manage-'))
let cloud: TestCloud

/** @returns what is printed, and the exit code. */
async function manage(...args: string[]): Promise<{ code: number; text: string }> {
  let text = ''
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      text += String(chunk)
      return true
    }),
  )
  try {
    return {
      code: await runCommandLine(['manage', ...args, ...(args.includes('--data-dir') ? [] : ['--data-dir', dataDir])], {
        env: {},
        self: [],
      }),
      text,
    }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

const db = () => cloud.cloud.ground.db
const count = (table: string, where = '1'): number =>
  db().prepare<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${where}`).get()?.n ?? 0

async function boot(name: string): Promise<string> {
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const body = { server: { name, imageRef: image, flavorRef: '42', metadata: { a: 'b' } } }
  const made = await cloud.call('POST', '/compute/v2.1/servers', { body })
  expect(made).toMatchObject({ status: 202 })
  const { id } = made.body.server
  await cloud.settle()
  return id
}

async function remove(id: string): Promise<void> {
  expect((await cloud.call('DELETE', `/compute/v2.1/servers/${id}`)).status).toBe(204)
  await cloud.settle()
}

it('lists policies as a policy.yaml that says what they are already, and a sample that says nothing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-manage-'))
  const list = async (...more: string[]) => {
    const { code, text } = await manage('policy', 'list', '--data-dir', dir, ...more)
    expect(code).toBe(0)
    return text
  }
  try {
    const before = await list()
    expect(before).toContain('"os_compute_api:servers:show": "rule:project_reader_or_admin"')
    expect(before).toContain('"identity:list_users": "rule:admin_required or (role:reader and system_scope:all)')
    writeFileSync(join(dir, 'policy.yaml'), before)
    expect(await list()).toBe(before)
    writeFileSync(join(dir, 'policy.yaml'), '"get_images": [["role:auditor"], ["role:reader", "rule:owner"]]')
    expect(await list()).toContain('"get_images": "role:auditor or (role:reader and rule:owner)"')
    expect(JSON.parse(await list('--json')).get_images).toBe('role:auditor or (role:reader and rule:owner)')
    const sample = await list('--sample')
    expect(sample).toContain('# GET /servers/{server_id}\n')
    expect(sample).toContain('# "get_images": "rule:project_reader_or_admin"')
    expect(sample.split('\n').every((one) => one === '' || one.startsWith('# '))).toBe(true)
    writeFileSync(join(dir, 'policy.yaml'), 'a: role:b and\n')
    expect(await manage('policy', 'list', '--data-dir', dir)).toEqual({
      code: 1,
      text: `minicloud: ${join(dir, 'policy.yaml')}:1: a: ends where a check should come\n`,
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

beforeAll(async () => {
  cloud = await startTestCloud({ dataDir, flags: { 'quota.instances': '-1', 'quota.cores': '-1', 'quota.ram': '-1' } })
})
afterAll(async () => {
  await cloud[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('cell_v2', () => {
  const uuidOf = async (name: string) =>
    (await manage('cell_v2', 'list_cells')).text.match(new RegExp(`\\| ${name} \\| ([0-9a-f-]{36}) \\|`))?.[1] ?? ''

  it('goes as an installation guide has it, and a second cell is a duplicate', async () => {
    expect(await manage('api_db', 'sync')).toEqual({ code: 0, text: '' })
    expect(await manage('cell_v2', 'map_cell0')).toEqual({ code: 0, text: 'Cell0 is already setup\n' })
    const made = await manage('cell_v2', 'create_cell', '--name=cell1', '--verbose')
    expect(made).toEqual({ code: 0, text: `${await uuidOf('cell1')}\n` })
    expect(await manage('cell_v2', 'create_cell', '--name=cell2')).toMatchObject({
      code: 2,
      text: expect.stringContaining('already exists for another cell'),
    })
    expect(await manage('db', 'sync')).toEqual({ code: 0, text: '' })
  })

  it('shows both cells and their hosts', async () => {
    const { text } = await manage('cell_v2', 'list_cells')
    expect(text).toMatch(/^\+-+\+-+\+-+\+-+\+-+\+\n\|\s+Name \|\s+UUID\s+\|\s+Transport URL \|\s+Database Connection\s+\| Disabled \|\n/)
    expect(text).toContain('| cell0 | 00000000-0000-0000-0000-000000000000 |')
    expect(text).toContain(`sqlite:///${dataDir}/minicloud.db`)
    expect((await manage('cell_v2', 'list_hosts')).text).toContain(`|   cell1   | ${await uuidOf('cell1')} |  host1   |`)
    expect((await manage('cell_v2', 'list_hosts', '--cell_uuid', randomUUID())).code).toBe(1)
    const discovered = await manage('cell_v2', 'discover_hosts', '--verbose')
    expect(discovered).toMatchObject({ code: 0, text: expect.stringContaining('Skipping cell0 since it does not contain hosts.') })
    expect((await manage('cell_v2', 'discover_hosts', '--strict')).code).toBe(1)
    expect((await manage('cell_v2', 'simple_cell_setup', '--transport-url', 'rabbit://x')).code).toBe(0)
    expect((await manage('cell_v2', 'map_cell_and_hosts')).code).toBe(0)
  })

  it('changes a name, and refuses what one host cannot have', async () => {
    const uuid = await uuidOf('cell1')
    const none = '00000000-0000-0000-0000-000000000000'
    const codes: [string[], number][] = [
      [['update_cell', '--cell_uuid', uuid, '--name', 'west1'], 0],
      [['update_cell', '--cell_uuid', uuid, '--name', 'cell1', '--enable'], 0],
      [['update_cell', '--cell_uuid', randomUUID()], 1],
      [['update_cell', '--cell_uuid', uuid, '--transport-url', 'rabbit://x'], 2],
      [['update_cell', '--cell_uuid', uuid, '--disable'], 2],
      [['update_cell', '--cell_uuid', uuid, '--disable', '--enable'], 4],
      [['update_cell', '--cell_uuid', none, '--disable'], 5],
      [['delete_cell', '--cell_uuid', randomUUID()], 1],
      [['delete_cell', '--cell_uuid', uuid, '--force'], 2],
      [['delete_host', '--cell_uuid', randomUUID(), '--host', 'host1'], 1],
      [['delete_host', '--cell_uuid', uuid, '--host', 'nobody'], 2],
      [['delete_host', '--cell_uuid', none, '--host', 'host1'], 3],
      [['delete_host', '--cell_uuid', uuid, '--host', 'host1'], 4],
      [['map_instances', '--cell_uuid', uuid], 0],
      [['map_instances', '--cell_uuid', uuid, '--max-count', '0'], 127],
      [['map_instances', '--cell_uuid', randomUUID()], 255],
    ]
    for (const [args, code] of codes) expect([args, (await manage('cell_v2', ...args)).code]).toEqual([args, code])
  })

  it('verifies where a server is', async () => {
    const id = await boot('mapped')
    expect(await manage('cell_v2', 'verify_instance', '--uuid', id)).toMatchObject({
      code: 0,
      text: expect.stringContaining(`Instance ${id} is in cell: cell1`),
    })
    await remove(id)
    expect(await manage('cell_v2', 'verify_instance', '--uuid', id, '--quiet')).toEqual({ code: 3, text: '' })
    expect((await manage('cell_v2', 'verify_instance', '--uuid', randomUUID())).code).toBe(1)
  })
})

describe('db', () => {
  it('archives deleted servers with all that hangs on them, and purges them', async () => {
    const kept = await boot('kept')
    for (const name of ['one', 'two', 'three']) await remove(await boot(name))
    const live = count('instances', 'deleted = 0')
    const gone = count('instances', 'deleted <> 0')
    expect(gone).toBeGreaterThanOrEqual(3)

    expect((await manage('db', 'archive_deleted_rows', '--before', '2001-02-03', '--verbose')).text).toBe('Nothing was archived.\n')
    const first = await manage('db', 'archive_deleted_rows', '--max_rows', '1', '--verbose')
    expect(first.code).toBe(1)
    expect(first.text).toMatch(/\| instances +\| 1 +\|/)
    expect(first.text).toContain('| API_DB.instance_mappings ')
    const rest = await manage('db', 'archive_deleted_rows', '--until-complete', '--verbose', '--all-cells')
    expect(rest).toMatchObject({ code: 1, text: expect.stringMatching(/^Archiving\.+complete\n\+-/) })
    expect(rest.text).toMatch(new RegExp(`\\| cell1\\.instances +\\| ${gone - 1} +\\|`))
    expect(await manage('db', 'archive_deleted_rows', '--verbose')).toEqual({ code: 0, text: 'Nothing was archived.\n' })

    expect([count('instances', 'deleted = 0'), count('instances', 'deleted <> 0'), count('shadow_instances')]).toEqual([live, 0, gone])
    expect(count('shadow_instance_actions_events')).toBeGreaterThan(0)
    expect(count('request_specs', 'instance_uuid NOT IN (SELECT uuid FROM instances)')).toBe(0)
    expect(db().sqlite.pragma('foreign_key_check')).toEqual([])
    expect((await cloud.call('GET', `/compute/v2.1/servers/${kept}`)).body.server.metadata).toEqual({ a: 'b' })

    expect((await manage('db', 'purge', '--before', '2001-02-03')).code).toBe(3)
    const purged = await manage('db', 'purge', '--all', '--verbose')
    expect(purged).toMatchObject({ code: 0, text: expect.stringContaining(`DB: Deleted ${gone} rows from shadow_instances`) })
    expect([count('shadow_instances'), (await manage('db', 'purge', '--all')).code]).toEqual([0, 3])
  })

  it('leaves a server alone that a saga still works on', async () => {
    const id = await boot('busy')
    await remove(id)
    db().prepare("INSERT INTO minicloud_sagas (name, key, state, input) VALUES ('delete-server/1', ?, 'running', '{}')").run(id)
    expect((await manage('db', 'archive_deleted_rows')).code).toBe(0)
    db().prepare("DELETE FROM minicloud_sagas WHERE key = ? AND state = 'running'").run(id)
    expect((await manage('db', 'archive_deleted_rows', '--purge')).code).toBe(1)
    expect([count('instances', `uuid = '${id}'`), count('shadow_instances')]).toEqual([0, 0])
  })

  it('keeps nova-manage’s exit codes for what cannot be', async () => {
    const codes: [string[], number][] = [
      [['archive_deleted_rows', '--max_rows', '0'], 2],
      [['archive_deleted_rows', '--max_rows', '9999999999'], 2],
      [['archive_deleted_rows', '--before', 'once upon a time'], 4],
      [['archive_deleted_rows', '--task-log'], 0],
      [['purge'], 1],
      [['purge', '--before', 'never'], 2],
      [['online_data_migrations'], 0],
      [['online_data_migrations', '--max-count', '-1'], 127],
      [['sync', '999'], 1],
    ]
    for (const [args, code] of codes) expect([args, (await manage('db', ...args)).code]).toEqual([args, code])
  })

  it('reads dates as people write them, in UTC', () => {
    expect(dateIn('2026-01-02')).toBe('2026-01-02 00:00:00.000000')
    expect(dateIn('2026-01-02 03:04:05')).toBe('2026-01-02 03:04:05.000000')
    expect(dateIn('2026-01-02T03:04:05+01:00')).toBe('2026-01-02 02:04:05.000000')
    expect(dateIn('Jan 2 2026')).toBe('2026-01-02 00:00:00.000000')
    expect(dateIn('soon')).toBeNull()
  })
})

describe('placement', () => {
  const holders = (uuid: string) => count('allocations', `consumer_id = '${uuid}'`)

  it('heals what a server holds', async () => {
    const id = await boot('healed')
    const held = holders(id)
    expect(held).toBeGreaterThan(0)
    expect((await manage('placement', 'heal_allocations', '--instance', id)).code).toBe(4)
    db().prepare('DELETE FROM allocations WHERE consumer_id = ?').run(id)
    expect(await manage('placement', 'heal_allocations', '--dry-run')).toMatchObject({
      code: 4,
      text: expect.stringContaining(`[dry-run] Create allocations for instance ${id}`),
    })
    expect(holders(id)).toBe(0)
    expect(await manage('placement', 'heal_allocations', '--verbose')).toMatchObject({
      code: 0,
      text: expect.stringContaining('Processed 1 instances.'),
    })
    expect(holders(id)).toBe(held)
    expect((await manage('placement', 'heal_allocations', '--instance', id, '--force')).code).toBe(0)
    expect(holders(id)).toBe(held)
    const codes: [string[], number][] = [
      [['--force'], 127],
      [['--instance', randomUUID()], 127],
      [['--cell', randomUUID()], 127],
      [['--instance', id, '--cell', id], 127],
      [['--max-count', 'x'], 127],
    ]
    for (const [args, code] of codes) expect([args, (await manage('placement', 'heal_allocations', ...args)).code]).toEqual([args, code])
    await remove(id)
  })

  it('finds allocations that nobody owns', async () => {
    const id = await boot('audited')
    expect((await manage('placement', 'audit')).code).toBe(0)
    const orphan = randomUUID()
    db().prepare('UPDATE allocations SET consumer_id = ? WHERE consumer_id = ?').run(orphan, id)
    db().prepare('UPDATE consumers SET uuid = ? WHERE uuid = ?').run(orphan, id)
    expect(await manage('placement', 'audit', '--verbose')).toMatchObject({ code: 3, text: expect.stringContaining(orphan) })
    expect((await manage('placement', 'audit', '--delete')).code).toBe(4)
    expect([holders(orphan), (await manage('placement', 'audit')).code]).toEqual([0, 0])
    expect((await manage('placement', 'audit', '--resource_provider', randomUUID())).code).toBe(127)
    expect((await manage('placement', 'heal_allocations')).code).toBe(0)
    await remove(id)
  })

  it('finds what a server left behind on a host where it is not, and leaves a move alone', async () => {
    const id = await boot('gone elsewhere')
    db().prepare("UPDATE instances SET host = 'elsewhere' WHERE uuid = ?").run(id)
    db().prepare("INSERT INTO migrations (uuid, instance_uuid, status, deleted) VALUES (?, ?, 'migrating', 0)").run(randomUUID(), id)
    expect((await manage('placement', 'audit')).code).toBe(0)
    db().prepare("UPDATE migrations SET status = 'done' WHERE instance_uuid = ?").run(id)
    expect((await manage('placement', 'audit')).code).toBe(3)
    expect((await manage('placement', 'audit', '--delete')).code).toBe(4)
    expect(holders(id)).toBe(0)
    db().prepare("UPDATE instances SET host = 'host1' WHERE uuid = ?").run(id)
    expect((await manage('placement', 'heal_allocations')).code).toBe(0)
    await remove(id)
  })

  it('mirrors aggregates', async () => {
    const { id } = (
      await cloud.call('POST', '/compute/v2.1/os-aggregates', { body: { aggregate: { name: 'ssd', availability_zone: null } } })
    ).body.aggregate
    await cloud.call('POST', `/compute/v2.1/os-aggregates/${id}/action`, { body: { add_host: { host: 'host1' } } })
    db().prepare('DELETE FROM resource_provider_aggregates').run()
    expect((await manage('placement', 'sync_aggregates', '--verbose')).text).toContain('Successfully added host (host1)')
    expect(count('resource_provider_aggregates')).toBe(1)
    db().prepare("INSERT INTO aggregate_hosts (host, aggregate_id) VALUES ('nowhere', ?)").run(id)
    expect((await manage('placement', 'sync_aggregates')).code).toBe(5)
  })
})

describe('a server’s image properties', () => {
  it('are shown, and changed while it is off', async () => {
    const id = await boot('properties')
    const of = async (...args: string[]) => (await manage(...args)).code
    expect(await of('libvirt', 'get_machine_type', randomUUID())).toBe(2)
    expect(await of('libvirt', 'get_machine_type', id)).toBe(3)
    expect((await manage('libvirt', 'list_unset_machine_type')).text).toContain(id)
    expect(await of('libvirt', 'update_machine_type', id, 'q35')).toBe(3)
    expect(await of('image_property', 'set', id, '--property', 'hw_disk_bus=virtio')).toBe(3)
    await cloud.call('POST', `/compute/v2.1/servers/${id}/action`, { body: { 'os-stop': null } })
    await cloud.settle()
    expect(await of('libvirt', 'update_machine_type', id, 'toaster')).toBe(5)
    expect((await manage('libvirt', 'update_machine_type', id, 'pc-q35-6.0')).text).toContain('(previously None)')
    expect(await of('libvirt', 'update_machine_type', id, 'pc-i440fx-6.1')).toBe(4)
    expect(await of('libvirt', 'update_machine_type', id, 'pc-q35-5.2')).toBe(4)
    expect(await of('libvirt', 'update_machine_type', id, 'pc-q35-6.10')).toBe(0)
    expect(await manage('libvirt', 'get_machine_type', id)).toEqual({ code: 0, text: 'pc-q35-6.10\n' })
    expect(await of('image_property', 'set', id, '--property', 'hw_disk_bus=virtio', '--property', 'hw_vif_model=e1000')).toBe(0)
    expect(await manage('image_property', 'show', id, 'hw_vif_model')).toEqual({ code: 0, text: 'e1000\n' })
    expect(await of('image_property', 'show', id, 'hw_nothing')).toBe(3)
    expect(await of('image_property', 'set', id, '--property', 'nothing')).toBe(4)
    expect(await of('image_property', 'set', id, '--property', 'colour=red')).toBe(5)
    expect(await of('image_property', 'show', randomUUID(), 'hw_vif_model')).toBe(2)
    expect(await of('volume_attachment', 'show', id, randomUUID())).toBe(3)
    expect(await of('volume_attachment', 'refresh', id, randomUUID(), join(dataDir, 'none'))).toBe(2)
    writeFileSync(join(dataDir, 'connector'), '{}')
    expect(await of('volume_attachment', 'refresh', id, randomUUID(), join(dataDir, 'connector'))).toBe(6)
    await remove(id)
  })
})

describe('status upgrade check', () => {
  it('warns of servers without a machine type, in a table and in its exit code', async () => {
    const id = await boot('unset')
    const { code, text } = await manage('status', 'upgrade', 'check')
    expect(code).toBe(1)
    expect(text).toContain('| Check: Cells v2')
    expect(text).toContain('| Result: Warning')
    expect(text.split('\n').every((line) => line === '' || line.length === text.indexOf('\n'))).toBe(true)
    await remove(id)
    const { checks } = JSON.parse((await manage('status', 'upgrade', 'check', '--json')).text)
    expect(checks).toHaveLength(7)
  })
})

it('what cannot be done here says so', async () => {
  expect(await manage('limits', 'migrate_to_unified_limits')).toMatchObject({ code: 1, text: expect.stringContaining('no unified limits') })
  expect((await manage('version')).text).toMatch(/^\d+\.\d+\.\d+\n$/)
})
