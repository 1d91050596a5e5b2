/**
 * A power cut of minicloud at every point of a build and a delete, with guests that are real: the next start ends in a
 * truthful state, and after the delete nothing is left on the host, in libvirt or in the database.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { leftovers, makeRealHost, nothing, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()

describe.skipIf(missing !== null && process.env.CI !== 'true')(`kill -9 with real guests${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-kill-'))
  const dataDir = join(dir, 'data')
  const libvirtDir = join(dir, 'libvirt')
  let host: RealHost
  let cloud: ServeProcess
  let session: Session

  const start = async (crashAt = '') => {
    await cloud?.stop('SIGKILL')
    cloud = await host.serve({ dataDir, env: { MINICLOUD_DEBUG_CRASH_AT: crashAt } })
    session = await Session.login(cloud)
  }
  /** Ends in a power cut, perhaps while it starts or before a call is answered. */
  const startUntilCrash = async (crashAt: string, work: (session: Session) => Promise<unknown> = async () => undefined) => {
    try {
      await start(crashAt)
      await work(session)
    } catch (error) {
      expect(String(error)).toMatch(/minicloud ended with SIGKILL|fetch failed/)
      if (/minicloud ended/.test(String(error))) return
    }
    expect(await cloud.exited).toBe('SIGKILL')
  }
  const running = async () => {
    if ((await session?.servers().catch(() => null)) === null) await start()
  }
  const expectNothing = async () => {
    await until(
      'the host to be cleared',
      () => JSON.stringify(leftovers(host, dataDir, libvirtDir)) === JSON.stringify(nothing),
      5_000,
    ).catch(() => undefined)
    expect(leftovers(host, dataDir, libvirtDir)).toEqual(nothing)
  }

  beforeAll(async () => {
    host = await makeRealHost(libvirtDir)
  })
  afterAll(async () => {
    await cloud?.stop('SIGKILL')
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })

  it('one build cut after every row of its log comes to its end, and so does one delete', async () => {
    await startUntilCrash('build-server/1:host:started', (to) => to.create({ name: 'web1' }))
    for (const row of ['host:finished', 'ports:finished', 'guest:finished']) await startUntilCrash(`build-server/1:${row}`)
    await startUntilCrash('delete-server/1:guest:started', async (to) => {
      const [{ id }] = await to.servers()
      await to.becomes(id, 'ACTIVE')
      await to.says(id, 'tiny: dhcp eth0')
      const { saved: _saved, unfinished: _unfinished, ...kept } = leftovers(host, dataDir, libvirtDir)
      for (const [kind, what] of Object.entries(kept)) expect(what, kind).not.toEqual(nothing[kind as keyof typeof nothing])
      await to.delete(id)
    })
    await startUntilCrash('delete-server/1:guest:finished')
    await start()
    await until('the server to be gone', async () => (await session.servers()).length === 0)
    await expectNothing()
  })

  it.each([20, 60, 120, 250, 500])('cut %i ms after two builds began', async (ms) => {
    await running()
    const wishes = [{ name: 'net' }, { name: 'drive', config_drive: true, networks: 'none' }]
    await Promise.all(wishes.map((wish) => session.create(wish)))
    await new Promise((resolve) => setTimeout(resolve, ms))
    await start()
    const ids = (await session.servers()).map(({ id }) => id as string)
    expect(ids).toHaveLength(2)
    await Promise.all(ids.map((id) => session.becomes(id, 'ACTIVE')))
    expect(host.domains()).toHaveLength(2)
    expect(host.taps()).toHaveLength(1)
    await session.delete(...ids)
    await expectNothing()
  })

  it.each([10, 80, 200])('cut %i ms after two deletes began', async (ms) => {
    await running()
    const ids = await Promise.all([session.create({ name: 'one' }), session.create({ name: 'two' })])
    await Promise.all(ids.map((id) => session.becomes(id, 'ACTIVE')))
    void session.delete(...ids).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, ms))
    await start()
    await session.deleteAll()
    await expectNothing()
  })
})
