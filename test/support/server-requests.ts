/**
 * A valid request for each row of OpenStack's table of actions on servers, and what must be in the database for it to be
 * taken when the server's state lets it pass. Rows whose operation is not here yet wait until it is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { type AnyOperation, operationId } from '../../src/base/http/index.ts'
import { computeOperations } from '../../src/nova/api/index.ts'

const facts = (name: string) => new URL(`../../../shared/openstack-api/${name}`, import.meta.url)
const rowsOf = (name: string): string[][] =>
  existsSync(facts(name))
    ? readFileSync(facts(name), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split('\t'))
    : []

export type StateRow = { vmState: string; taskState: string | null; status: string; occurs: boolean }
/** Every vm_state with every task_state. */
export const states: readonly StateRow[] = rowsOf('compute-states.tsv').map(([vmState = '', task = '', , status = '', occurs = '']) => ({
  vmState,
  taskState: task === '(none)' ? null : task,
  status,
  occurs: occurs === 'yes',
}))

export type ActionRow = {
  name: string
  /** `null`: any. */
  vmStates: readonly string[] | null
  allowsTask: (task: string | null) => boolean
  mustHaveLaunched: boolean
  checksLock: boolean
}
export const actionRows: readonly ActionRow[] = rowsOf('compute-actions.tsv').map(
  ([name = '', , vmStates = '', tasks = '', launched = '', locked = '']) => {
    const but = /^any but (.*)$/.exec(tasks)?.[1]?.split(', ')
    return {
      name,
      vmStates: vmStates === 'any' ? null : vmStates.split(','),
      allowsTask: (task) => tasks === 'any' || (but ? !but.includes(task ?? '') : tasks.split(',').includes(task ?? 'none')),
      mustHaveLaunched: launched === 'yes',
      checksLock: locked === 'yes',
    }
  },
)

/** What stands in the cloud where the requests are made. */
export type Scene = { server: string; host: string; otherHost: string; image: string; port: string; network: string }
type Sql = readonly [sql: string, ...values: unknown[]]
export type ActionRequest = {
  /** How a refusal names it. */
  word: string
  /** `POST /servers/{server_id}/action#pause`. */
  operation: string
  version?: string
  as?: 'admin'
  /** What stands for the path's parameters beside the server. */
  params?: (scene: Scene) => Record<string, string>
  body?: (scene: Scene) => unknown
  prepare?: (scene: Scene) => readonly Sql[]
  /** What it names is looked for first and is nowhere, so that no state is ever asked about. */
  neverFound?: boolean
  /** Answers beside success by which a request tells that the server's state is not what keeps it off. */
  alsoPasses?: RegExp
}

const actionPath = '/servers/{server_id}/action'
const act = (key: string, value: unknown = null, more: Partial<ActionRequest> = {}): ActionRequest => ({
  word: key,
  operation: `POST ${actionPath}#${key}`,
  body: (scene) => ({ [key]: typeof value === 'function' ? value(scene) : value }),
  ...more,
})
const at = (word: string, operation: string, more: Partial<ActionRequest> = {}): ActionRequest => ({ word, operation, ...more })

const migration =
  (type: string, status: string, id = 77) =>
  ({ server, host, otherHost }: Scene): Sql[] => [
    [
      `INSERT INTO migrations (id, created_at, updated_at, deleted, source_compute, source_node, dest_compute, dest_node, old_instance_type_id,
       new_instance_type_id, instance_uuid, uuid, status, migration_type, hidden, cross_cell_move)
       VALUES (?, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 0, ?, ?, ?, ?, 1, 1, ?, 'e0000000-0000-4000-8000-000000000000', ?, ?, 0, 0)`,
      id,
      host,
      host,
      type === 'resize' ? host : otherHost,
      type === 'resize' ? host : otherHost,
      server,
      status,
      type,
    ],
  ]
const running = { params: () => ({ migration_id: '77' }), prepare: migration('live-migration', 'running'), as: 'admin' } as const
const tags = { version: '2.26' }
const tag = { ...tags, params: () => ({ tag: 'b' }) }
const volume = {
  version: '2.20',
  params: () => ({ volume_id: 'a26887c6-c47b-4654-abb5-dfadf7d3f803' }),
  alsoPasses: /^(400|404|503) /,
} as const
const share = {
  version: '2.97',
  params: () => ({ share_id: 'e8debdc0-447a-4376-a10a-4cd9122d7986' }),
  alsoPasses: /^(400|404|503) /,
} as const

/** Row of the table → the requests that it governs. */
export const requestsOf: Readonly<Record<string, readonly ActionRequest[]>> = {
  delete: [at('delete', 'DELETE /servers/{server_id}')],
  forceDelete: [act('forceDelete')],
  restore: [act('restore')],
  'os-start': [act('os-start', null, { word: 'start' })],
  'os-stop': [act('os-stop', null, { word: 'stop' })],
  'reboot SOFT': [act('reboot', { type: 'SOFT' })],
  'reboot HARD': [act('reboot', { type: 'HARD' })],
  pause: [act('pause')],
  unpause: [act('unpause')],
  suspend: [act('suspend')],
  resume: [act('resume')],
  rescue: [act('rescue')],
  unrescue: [act('unrescue')],
  resize: [act('resize', { flavorRef: '84' })],
  migrate: [act('migrate', null, { as: 'admin' })],
  confirmResize: [act('confirmResize', null, { prepare: migration('resize', 'finished') })],
  revertResize: [act('revertResize', null, { prepare: migration('resize', 'finished') })],
  rebuild: [act('rebuild', ({ image }: Scene) => ({ imageRef: image }))],
  evacuate: [
    act(
      'evacuate',
      {},
      {
        version: '2.95',
        as: 'admin',
        prepare: ({ host }) => [['UPDATE services SET forced_down = 1 WHERE host = ?', host]],
      },
    ),
  ],
  shelve: [act('shelve')],
  shelveOffload: [act('shelveOffload', null, { as: 'admin' })],
  unshelve: [act('unshelve')],
  createImage: [act('createImage', { name: 'picture' })],
  createBackup: [act('createBackup', { name: 'backup', backup_type: 'daily', rotation: 1 })],
  changePassword: [act('changePassword', { adminPass: 'foo' })],
  'os-getConsoleOutput': [act('os-getConsoleOutput', {}, { word: 'get_console_output' })],
  'remote-consoles': [
    at('get_vnc_console', 'POST /servers/{server_id}/remote-consoles', {
      version: '2.6',
      body: () => ({ remote_console: { protocol: 'vnc', type: 'novnc' } }),
    }),
    act('os-getVNCConsole', { type: 'novnc' }, { word: 'get_vnc_console' }),
    act('os-getSerialConsole', { type: 'serial' }, { word: 'get_serial_console' }),
  ],
  diagnostics: [at('get_diagnostics', 'GET /servers/{server_id}/diagnostics', { as: 'admin' })],
  lock: [act('lock')],
  unlock: [act('unlock')],
  'os-resetState': [act('os-resetState', { state: 'active' }, { as: 'admin' })],
  injectNetworkInfo: [act('injectNetworkInfo', null, { as: 'admin' })],
  trigger_crash_dump: [act('trigger_crash_dump', null, { version: '2.17' })],
  'os-migrateLive': [
    act('os-migrateLive', { host: null, block_migration: 'auto' }, { version: '2.30', as: 'admin' }),
    act('os-migrateLive', { host: null, block_migration: false, disk_over_commit: false }, { as: 'admin' }),
  ],
  force_complete: [
    at('force_complete', 'POST /servers/{server_id}/migrations/{migration_id}/action#force_complete', {
      ...running,
      version: '2.22',
      // No host has this migration in its hands.
      alsoPasses: /^400 .*cannot be completed now/,
      body: () => ({ force_complete: null }),
    }),
  ],
  'abort live migration': [
    at('abort live migration', 'DELETE /servers/{server_id}/migrations/{migration_id}', { ...running, version: '2.24' }),
  ],
  'attach volume': [
    at('attach_volume', 'POST /servers/{server_id}/os-volume_attachments', {
      ...volume,
      body: () => ({ volumeAttachment: { volumeId: 'a26887c6-c47b-4654-abb5-dfadf7d3f803' } }),
    }),
  ],
  'detach volume': [at('detach_volume', 'DELETE /servers/{server_id}/os-volume_attachments/{volume_id}', { ...volume, neverFound: true })],
  'swap volume': [
    at('swap_volume', 'PUT /servers/{server_id}/os-volume_attachments/{volume_id}', {
      ...volume,
      neverFound: true,
      as: 'admin',
      body: () => ({ volumeAttachment: { volumeId: '2ecbe4ec-40d2-4f42-ac1c-9f3b1b9ef7d1' } }),
    }),
  ],
  'attach interface': [
    at('attach_interface', 'POST /servers/{server_id}/os-interface', {
      body: ({ network }) => ({ interfaceAttachment: { net_id: network } }),
    }),
  ],
  'detach interface': [
    at('detach_interface', 'DELETE /servers/{server_id}/os-interface/{port_id}', { params: ({ port }) => ({ port_id: port }) }),
  ],
  'server metadata write': [
    at('update metadata', 'POST /servers/{server_id}/metadata', { body: () => ({ metadata: { a: 'c' } }) }),
    at('update metadata', 'PUT /servers/{server_id}/metadata', { body: () => ({ metadata: { a: 'd' } }) }),
    at('update metadata', 'PUT /servers/{server_id}/metadata/{key}', {
      params: () => ({ key: 'a' }),
      body: () => ({ meta: { a: 'b' } }),
    }),
    at('delete metadata', 'DELETE /servers/{server_id}/metadata/{key}', { params: () => ({ key: 'a' }) }),
  ],
  'server tags write': [
    at('update tags', 'PUT /servers/{server_id}/tags', { ...tags, body: () => ({ tags: ['a'] }) }),
    at('update tag', 'PUT /servers/{server_id}/tags/{tag}', tag),
    at('delete tag', 'DELETE /servers/{server_id}/tags/{tag}', { ...tags, params: () => ({ tag: 'kept' }) }),
    at('delete tags', 'DELETE /servers/{server_id}/tags', tags),
  ],
  'add/remove security group': [act('addSecurityGroup', { name: 'default' }), act('removeSecurityGroup', { name: 'default' })],
  'attach share': [
    at('create share', 'POST /servers/{server_id}/shares', {
      ...share,
      body: () => ({ share: { share_id: 'e8debdc0-447a-4376-a10a-4cd9122d7986' } }),
    }),
  ],
  'detach share': [at('delete share', 'DELETE /servers/{server_id}/shares/{share_id}', share)],
}

/** Rows that no request of this cloud falls under, and why. */
export const rowsWithoutRequest: Readonly<Record<string, string>> = {
  create: 'no server is there before',
  'delete (soft)': 'asked of a cloud that keeps deleted servers',
  'shelve (volume-backed)': 'no server of this cloud boots from a volume',
}

const known = new Set((computeOperations as readonly AnyOperation[]).map(operationId))
/** Whether the request's operation is in the table of operations. */
export const isHere = ({ operation }: ActionRequest): boolean => known.has(operation)
