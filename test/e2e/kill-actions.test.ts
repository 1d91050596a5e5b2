/**
 * A power cut after every log row of rebuild, resize, live migration, snapshot, backup, shelve and live attach, one after the
 * other on the way of a single action: it comes to its end, the server can be used, and nothing is left over.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServeProcess, serve } from '../support/process.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const compute = '/compute/v2.1'
/** A step's end and the next one's begin are one commit. */
const rows = (saga: string, first: string, ...others: string[]) => [
  `${saga}:${first}:started`,
  ...[first, ...others].map((step) => `${saga}:${step}:finished`),
]

describe('kill -9 on the way of', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-kill-actions-'))
  const env = { MINICLOUD_FAKE_HOSTS: '2', MINICLOUD_SHELVED_OFFLOAD_TIME: '-1' }
  let cloud: ServeProcess
  let session: Session
  let id: string

  async function start(crashAt = ''): Promise<void> {
    cloud = await serve({ dataDir, env: { ...env, MINICLOUD_DEBUG_CRASH_AT: crashAt } })
    session = await Session.login(cloud)
  }
  /** What begins with `work` is cut off at each row in turn; the last start lets it end. */
  async function cutAt([first = '', ...others]: readonly string[], work: () => Promise<unknown>): Promise<void> {
    await cloud.stop('SIGKILL')
    await start(first)
    await work().catch((error) => expect(String(error)).toMatch(/fetch failed/))
    expect(await cloud.exited, first).toBe('SIGKILL')
    for (const row of others) {
      // It may be cut off before it is ready.
      await start(row).catch((error) => expect(String(error)).toMatch(/minicloud ended with SIGKILL|fetch failed/))
      const timer = setTimeout(() => void cloud.stop(), 15_000)
      expect(await cloud.exited, row).toBe('SIGKILL')
      clearTimeout(timer)
    }
    await start()
  }
  /** All that database, hosts and image store keep for servers. */
  function kept() {
    const db = new Sqlite(join(dataDir, 'minicloud.db'), { readonly: true })
    const count = (sql: string) => (db.prepare(sql).get() as { n: number }).n
    const files = (...path: string[]) => readdirSync(join(dataDir, ...path), { withFileTypes: true }).filter((one) => one.isFile()).length
    const found = {
      consumers: count('SELECT count(DISTINCT consumer_id) AS n FROM allocations'),
      ports: count("SELECT count(*) AS n FROM ports WHERE device_owner LIKE 'compute:%'"),
      unfinished: count("SELECT count(*) AS n FROM minicloud_sagas WHERE state NOT IN ('done', 'undone')"),
      images: count('SELECT count(*) AS n FROM images WHERE deleted = 0'),
      guests: files('fake', '0', 'guests') + files('fake', '1', 'guests'),
      snapshots: files('fake', '0', 'snapshots') + files('fake', '1', 'snapshots'),
    }
    db.close()
    return found
  }
  const usual = { consumers: 1, ports: 1, unfinished: 0, images: 1, guests: 1, snapshots: 0 }
  const keeps = (changed: Partial<typeof usual> = {}) =>
    until('nothing more to be kept', () => JSON.stringify(kept()) === JSON.stringify({ ...usual, ...changed }), 5_000).catch(() =>
      expect(kept()).toEqual({ ...usual, ...changed }),
    )
  const isUsable = async () => {
    await session.action(id, 'os-stop')
    await session.becomes(id, 'SHUTOFF')
    await session.action(id, 'os-start')
    await session.becomes(id, 'ACTIVE')
  }
  const images = async () =>
    (await session.call('GET', '/image/v2/images?sort=created_at')).images as { id: string; name: string; status: string }[]

  beforeAll(async () => {
    await start()
    id = await session.create({ name: 'web1' })
    await session.becomes(id, 'ACTIVE')
  })
  afterAll(async () => {
    await cloud?.stop('SIGKILL')
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('a rebuild', async () => {
    const { image_id } = await session.call('GET', `${compute}/servers/${id}`).then(({ server }) => ({ image_id: server.image.id }))
    await cutAt(rows('rebuild-server/1', 'end', 'guest'), () => session.action(id, 'rebuild', { imageRef: image_id, name: 'web2' }))
    expect((await session.becomes(id, 'ACTIVE')).name).toBe('web2')
    await isUsable()
    await keeps()
  })

  it('a resize, its confirmation and its revert', async () => {
    const flavorOf = async () => (await session.server(id)).flavor.original_name
    const before = await flavorOf()
    const resize = () => session.action(id, 'resize', { flavorRef: '1' })
    await cutAt(rows('move-server/1', 'destination', 'guest'), resize)
    await session.becomes(id, 'VERIFY_RESIZE')
    const larger = await flavorOf()
    expect(larger).not.toBe(before)
    await cutAt(rows('revert-resize/1', 'guest'), () => session.action(id, 'revertResize'))
    await session.becomes(id, 'ACTIVE')
    expect(await flavorOf()).toBe(before)
    await keeps()
    await resize()
    await session.becomes(id, 'VERIFY_RESIZE')
    await cutAt(rows('confirm-resize/1', 'guest'), () => session.action(id, 'confirmResize'))
    await session.becomes(id, 'ACTIVE')
    expect(await flavorOf()).toBe(larger)
    await isUsable()
    await keeps()
  })

  it('a live migration', async () => {
    const hostOf = async () => (await session.server(id))['OS-EXT-SRV-ATTR:host']
    const source = await hostOf()
    const anywhere = { host: null, block_migration: 'auto' }
    await cutAt(rows('live-migrate-server/1', 'destination', 'guest'), () => session.action(id, 'os-migrateLive', anywhere))
    await until('another host', async () => (await hostOf()) !== source)
    await session.becomes(id, 'ACTIVE')
    await isUsable()
    await keeps()
  })

  it('a snapshot, and a backup that rotates', async () => {
    const names = async () => (await images()).map(({ name, status }) => `${name} ${status}`)
    await cutAt(rows('snapshot-server/1', 'image', 'rotate'), () => session.action(id, 'createImage', { name: 'copy' }))
    await session.becomes(id, 'ACTIVE')
    expect((await names()).sort()).toEqual(['copy active', 'tiny active'])
    const backup = (name: string) => session.action(id, 'createBackup', { name, backup_type: 'daily', rotation: 1 })
    await backup('monday')
    await session.becomes(id, 'ACTIVE')
    await cutAt(rows('snapshot-server/1', 'image', 'rotate').slice(1), () => backup('tuesday'))
    await session.becomes(id, 'ACTIVE')
    expect((await names()).sort()).toEqual(['copy active', 'tiny active', 'tuesday active'])
    for (const image of await images()) if (image.name !== 'tiny') await session.call('DELETE', `/image/v2/images/${image.id}`)
    await isUsable()
    await keeps()
  })

  it('shelving, leaving the host and coming back', async () => {
    await cutAt(rows('shelve-server/1', 'off', 'image'), () => session.action(id, 'shelve'))
    await session.becomes(id, 'SHELVED')
    await keeps({ images: 2 })
    await cutAt(rows('offload-server/1', 'guest'), () => session.action(id, 'shelveOffload'))
    await session.becomes(id, 'SHELVED_OFFLOADED')
    await keeps({ images: 2, guests: 0, consumers: 0 })
    await cutAt(rows('unshelve-server/1', 'host', 'guest'), () => session.action(id, 'unshelve'))
    await session.becomes(id, 'ACTIVE')
    await isUsable()
    await keeps()
  })

  it('an interface that is attached and detached while the guest runs', async () => {
    const interfaces = async () =>
      (await session.call('GET', `${compute}/servers/${id}/os-interface`)).interfaceAttachments as { port_id: string }[]
    const [own] = await interfaces()
    const net_id = await session.networkId('private')
    await cutAt(rows('attach-interface/1', 'port', 'guest'), () =>
      session.call('POST', `${compute}/servers/${id}/os-interface`, { interfaceAttachment: { net_id } }),
    )
    await until('the attachment to end', () => kept().unfinished === 0)
    const added = (await interfaces()).find(({ port_id }) => port_id !== own?.port_id)
    expect(added).toBeDefined()
    await keeps({ ports: 2 })
    await cutAt(rows('detach-interface/1', 'guest'), () =>
      session.call('DELETE', `${compute}/servers/${id}/os-interface/${added?.port_id}`),
    )
    await until('the detachment to end', async () => (await interfaces()).length === 1)
    await isUsable()
    await keeps()
  })

  it('everything, after which nothing is left', async () => {
    await session.deleteAll()
    await keeps({ consumers: 0, ports: 0, guests: 0 })
    expect(await cloud.stop()).toBe(0)
  })
})
