/** A power cut after every log row of build and delete: the next start ends in a truthful state, and nothing is left over. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { type ServeProcess, serve } from '../support/process.ts'
import { until } from '../support/until.ts'

type Token = { token: string; compute: string; image: string; network: string }

async function login(cloud: ServeProcess): Promise<Token> {
  const { adminPassword } = JSON.parse(readFileSync(join(cloud.dataDir, 'credentials.json'), 'utf8')) as { adminPassword: string }
  const user = { name: 'admin', domain: { id: 'default' }, password: adminPassword }
  const answer = await fetch(`${cloud.ready.auth_url}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { name: 'admin', domain: { id: 'default' } } } },
    }),
  })
  const token = answer.headers.get('x-subject-token') ?? ''
  const get = async (path: string) => (await fetch(`${cloud.ready.url}${path}`, { headers: { 'x-auth-token': token } })).json()
  const images = (await get('/image/v2/images?name=tiny')) as { images: { id: string }[] }
  const networks = (await get('/network/v2.0/networks?name=private')) as { networks: { id: string }[] }
  return { token, compute: `${cloud.ready.url}/compute/v2.1`, image: images.images[0]?.id ?? '', network: networks.networks[0]?.id ?? '' }
}

const headers = ({ token }: Token) => ({ 'x-auth-token': token, 'content-type': 'application/json' })

async function post(session: Token): Promise<string | null> {
  const server = { name: 'web1', imageRef: session.image, flavorRef: '42', networks: [{ uuid: session.network }] }
  try {
    const answer = await fetch(`${session.compute}/servers`, {
      method: 'POST',
      headers: headers(session),
      body: JSON.stringify({ server }),
    })
    return ((await answer.json()) as { server: { id: string } }).server.id
  } catch {
    return null
  }
}

const statuses = async (session: Token): Promise<string[]> => {
  const answer = await fetch(`${session.compute}/servers/detail`, { headers: headers(session) })
  return ((await answer.json()) as { servers: { status: string }[] }).servers.map(({ status }) => status)
}

/** All that the database and the fake host keep for servers. */
function leftovers(dataDir: string): Record<string, number> {
  const db = new Sqlite(join(dataDir, 'minicloud.db'), { readonly: true })
  const count = (sql: string) => (db.prepare(sql).get() as { n: number }).n
  const found = {
    instances: count('SELECT count(*) AS n FROM instances WHERE deleted = 0'),
    allocations: count('SELECT count(*) AS n FROM allocations'),
    ports: count("SELECT count(*) AS n FROM ports WHERE device_owner LIKE 'compute:%'"),
    unfinished: count("SELECT count(*) AS n FROM minicloud_sagas WHERE state NOT IN ('done', 'undone')"),
    guests: readdirSync(join(dataDir, 'fake', '0', 'guests'), { withFileTypes: true }).filter((entry) => entry.isFile()).length,
  }
  db.close()
  return found
}

const nothing = { instances: 0, allocations: 0, ports: 0, unfinished: 0, guests: 0 }

async function deleteAll(session: Token): Promise<void> {
  const answer = await fetch(`${session.compute}/servers`, { headers: headers(session) })
  for (const { id } of ((await answer.json()) as { servers: { id: string }[] }).servers)
    await fetch(`${session.compute}/servers/${id}`, { method: 'DELETE', headers: headers(session) })
  await until('all servers to be gone', async () => (await statuses(session)).length === 0)
}

async function inDirectory(work: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-kill-'))
  try {
    await work(dataDir)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

describe('kill -9', () => {
  it.each(['host:started', 'host:finished', 'ports:finished', 'guest:finished'])('while building, after %s', async (row) => {
    await inDirectory(async (dataDir) => {
      const doomed = await serve({ dataDir, env: { MINICLOUD_DEBUG_CRASH_AT: `build-server/1:${row}` } })
      await post(await login(doomed))
      expect(await doomed.exited).toBe('SIGKILL')
      const next = await serve({ dataDir })
      const session = await login(next)
      await until('the server to be active', async () => (await statuses(session)).every((status) => status === 'ACTIVE'))
      expect(await statuses(session)).toEqual(['ACTIVE'])
      await deleteAll(session)
      expect(await next.stop()).toBe(0)
      expect(leftovers(dataDir)).toEqual(nothing)
    })
  })

  it.each(['guest:started', 'guest:finished'])('while deleting, after %s', async (row) => {
    await inDirectory(async (dataDir) => {
      const doomed = await serve({ dataDir, env: { MINICLOUD_DEBUG_CRASH_AT: `delete-server/1:${row}` } })
      const session = await login(doomed)
      const id = await post(session)
      await until('the server to be active', async () => (await statuses(session))[0] === 'ACTIVE')
      await fetch(`${session.compute}/servers/${id}`, { method: 'DELETE', headers: headers(session) }).catch(() => undefined)
      expect(await doomed.exited).toBe('SIGKILL')
      const next = await serve({ dataDir })
      const after = await login(next)
      await until('the server to be gone', async () => (await statuses(after)).length === 0)
      expect(await next.stop()).toBe(0)
      expect(leftovers(dataDir)).toEqual(nothing)
    })
  })

  it('of an idle process loses nothing', async () => {
    await inDirectory(async (dataDir) => {
      const first = await serve({ dataDir })
      const session = await login(first)
      await post(session)
      await until('the server to be active', async () => (await statuses(session))[0] === 'ACTIVE')
      expect(await first.stop('SIGKILL')).toBe('SIGKILL')
      const next = await serve({ dataDir })
      expect(await statuses(await login(next))).toEqual(['ACTIVE'])
      await next.stop()
    })
  })
})
