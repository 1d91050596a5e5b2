/**
 * A power cut of minicloud in the middle of what is done to a real guest: an attached interface, a snapshot, a resize, a
 * rebuild, shelving. The next start ends it, and the guest's own word tells what it runs with; nothing is left over.
 *
 * The cuts come at rows of the saga's log and, inside the driver, when a file shows that a copy is under way.
 */
import { existsSync, mkdtempSync, readdirSync, statSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { leftovers, makeRealHost, nothing, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { agentAnswers, booted, tellingUserData } from '../support/telling-guest.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()
const compute = '/compute/v2.1'

describe.skipIf(missing !== null && process.env.CI !== 'true')(`kill -9 in the middle of${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-cuts-'))
  const dataDir = join(dir, 'data')
  const libvirtDir = join(dir, 'libvirt')
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  let id: string

  const start = async (crashAt = '') => {
    const env = { MINICLOUD_DEBUG_CRASH_AT: crashAt, MINICLOUD_SHUTDOWN_TIMEOUT: '5', MINICLOUD_SHELVED_OFFLOAD_TIME: '-1' }
    cloud = await host.serve({ dataDir, env })
    session = await Session.login(cloud)
  }
  /** What begins with `work` is cut off at each row in turn; the last start lets it end. */
  const cutAt = async ([first = '', ...others]: readonly string[], work: () => Promise<unknown>) => {
    await cloud.stop('SIGKILL')
    await start(first)
    await work().catch((error) => expect(String(error)).toMatch(/fetch failed/))
    expect(await cloud.exited, first).toBe('SIGKILL')
    for (const row of others) {
      // It may be cut off before it is ready.
      await start(row).catch((error) => expect(String(error)).toMatch(/minicloud ended with SIGKILL|fetch failed/))
      expect(await cloud.exited, row).toBe('SIGKILL')
    }
    await start()
  }
  /** Cut off as soon as `isThere` says so. @throws when that doesn't come */
  const cutWhen = async (what: string, isThere: () => boolean, work: () => Promise<unknown>) => {
    let ended = false
    const working = work()
      .catch((error) => expect(String(error)).toMatch(/fetch failed/))
      .finally(() => {
        ended = true
      })
    const deadline = Date.now() + 20_000
    while (!isThere()) {
      if (Date.now() > deadline) throw new Error(`never seen${ended ? ' after the answer' : ''}: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await cloud.stop('SIGKILL')
    await working
    await start()
  }
  const cutAfter = async (ms: number, work: () => Promise<unknown>) => {
    await work()
    const begun = Date.now()
    await cutWhen(
      `${ms} ms`,
      () => Date.now() - begun >= ms,
      async () => undefined,
    )
  }

  const files = (...path: string[]) => {
    const at = join(dataDir, 'instances', id, ...path)
    return existsSync(at) ? readdirSync(at) : []
  }
  const hasFile =
    (name: RegExp, ...path: string[]) =>
    () =>
      files(...path).some((file) => name.test(file))
  /** Whether the file has come or gone since this was asked for, however briefly. */
  const touched = (name: string) => {
    let seen = false
    const watcher = watch(join(dataDir, 'instances', id), (event, file) => {
      seen ||= event === 'rename' && file === name
    })
    return () => {
      if (seen) watcher.close()
      return seen
    }
  }
  /** Whether there is one that was not there when this was asked for; a number of a file that went may be another's. */
  const newFile = (name: string) => {
    const born = () => statSync(join(dataDir, 'instances', id, name), { throwIfNoEntry: false })?.birthtimeMs ?? 0
    const was = born()
    return () => born() > was
  }
  /** What there is of one running guest, which is settled: `more` where it has more than usual. */
  const usual = {
    domains: 1,
    taps: 1,
    files: ['console.log', 'domain.xml', 'root'],
    unfinished: 0,
    ports: 1,
    allocations: 3,
    partial: [] as string[],
  }
  const kept = (): typeof usual => {
    const { domains, taps, unfinished, ports, allocations } = leftovers(host, dataDir, libvirtDir)
    const images = join(dataDir, 'images')
    const partial = readdirSync(images, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.part'))
    const count = (what: string[] | number) => (typeof what === 'number' ? what : what.length)
    return {
      ...{ domains: count(domains), taps: count(taps), files: files().sort(), partial },
      ...{ unfinished: count(unfinished), ports: count(ports), allocations: count(allocations) },
    }
  }
  const keeps = async (more: Partial<typeof usual> = {}) => {
    const wanted = { ...usual, ...more }
    await until('nothing more to be kept', () => isDeepStrictEqual(kept(), wanted), 5_000).catch(() => undefined)
    expect(kept()).toEqual(wanted)
  }
  const interfaces = async () =>
    (await session.call('GET', `${compute}/servers/${id}/os-interface`)).interfaceAttachments as { port_id: string; mac_addr: string }[]
  const domain = () => `${prefixOf(dataDir)}-instance-00000001`
  const definedMacs = (...flags: string[]) => {
    return [...host.virsh('dumpxml', domain(), ...flags).matchAll(/<mac address='([^']+)'/g)].map((match) => match[1])
  }
  const images = async () =>
    (await session.call('GET', '/image/v2/images?sort=created_at')).images as { id: string; name: string; status: string }[]

  beforeAll(async () => {
    host = await makeRealHost(libvirtDir)
    await start()
    id = await session.create({ name: 'cut', user_data: tellingUserData })
    await session.becomes(id, 'ACTIVE')
    expect((await booted(session, id, 1)).mark).toBe('nobody')
    await agentAnswers(host, domain())
    await keeps()
  })
  afterAll(async () => {
    await cloud?.stop('SIGKILL')
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })

  it('attaching and detaching an interface: the guest has it once, and loses it', async () => {
    const net_id = await session.networkId('private')
    const attach = () => session.call('POST', `${compute}/servers/${id}/os-interface`, { interfaceAttachment: { net_id } })
    const detach = async () => {
      const added = (await interfaces()).at(-1)?.port_id
      await session.request('DELETE', `${compute}/servers/${id}/os-interface/${added}`)
    }
    await cutAt(['attach-interface/1:port:finished', 'attach-interface/1:guest:finished'], attach)
    await session.says(id, 'tiny: nic eth1 added')
    await keeps({ taps: 2, ports: 2 })
    const macs = (await interfaces()).map(({ mac_addr }) => mac_addr)
    expect([definedMacs(), definedMacs('--inactive')]).toEqual([macs, macs])
    await cutAfter(20, detach)
    await session.says(id, 'tiny: nic eth1 removed')
    await keeps()
    expect(definedMacs('--inactive')).toHaveLength(1)
    await session.becomes(id, 'ACTIVE')
  })

  it('a snapshot: the guest goes on, and the image is whole', async () => {
    const copy = () => session.action(id, 'createImage', { name: 'copy' })
    const isWhole = async () => {
      await session.becomes(id, 'ACTIVE')
      const [made] = (await images()).filter(({ name }) => name === 'copy')
      expect(made?.status).toBe('active')
      await session.call('DELETE', `/image/v2/images/${made?.id}`)
      // None is at rest any more.
      await session.says(id, /file systems go on(?![\s\S]*file systems at rest)/)
      await keeps()
    }
    await cutAt(['snapshot-server/1:image:started'], copy)
    await isWhole()
    await cutWhen('a file system at rest', touched('frozen'), copy)
    await isWhole()
    await cutWhen('a copy under way', hasFile(/^snapshot-/), copy)
    await isWhole()
  })

  it('a resize, its revert and its confirmation: the guest has one size or the other, and its data', async () => {
    const small = (await session.server(id)).flavor.original_name
    await session.call('POST', `${compute}/flavors`, { flavor: { id: 'bigger', name: 'bigger', vcpus: 1, ram: 256, disk: 2 } })
    const resize = () => session.action(id, 'resize', { flavorRef: 'bigger' })
    const boots = async () => [...(await session.consoleLog(id)).matchAll(/disk=(\d+) mark=(\w+)\./g)]
    /** The disk in GiB, and whose it is, at the latest boot after the first `known`. */
    const foundAfter = async (known: number) => {
      const found = await until('another boot', async () => ((await boots()).length > known ? await boots() : null))
      return [Number(found.at(-1)?.[1]) / 2 ** 21, found.at(-1)?.[2]]
    }
    let known = (await boots()).length
    await cutWhen('the old disk being kept', hasFile(/^root$/, 'before-resize'), resize)
    await session.becomes(id, 'VERIFY_RESIZE')
    expect(await foundAfter(known)).toEqual([2, 'cut'])
    known = (await boots()).length
    await cutWhen(
      'the old disk back',
      () => !hasFile(/^root$/, 'before-resize')(),
      () => session.action(id, 'revertResize'),
    )
    await session.becomes(id, 'ACTIVE')
    expect((await session.server(id)).flavor.original_name).toBe(small)
    expect(await foundAfter(known)).toEqual([1, 'cut'])
    await keeps()

    known = (await boots()).length
    await cutAt(['move-server/1:destination:finished', 'move-server/1:guest:finished'], resize)
    await session.becomes(id, 'VERIFY_RESIZE')
    await cutAfter(10, () => session.action(id, 'confirmResize'))
    await session.becomes(id, 'ACTIVE')
    expect((await session.server(id)).flavor.original_name).toBe('bigger')
    expect(await foundAfter(known)).toEqual([2, 'cut'])
    await keeps()
  })

  it('shelving, leaving the host and coming back: the disk is the one that it had', async () => {
    await cutWhen('the disk being copied', hasFile(/^snapshot-/), () => session.action(id, 'shelve'))
    await session.becomes(id, 'SHELVED')
    await keeps({ taps: 0 })
    await cutAfter(30, () => session.action(id, 'shelveOffload'))
    await session.becomes(id, 'SHELVED_OFFLOADED')
    await keeps({ domains: 0, taps: 0, files: [], allocations: 0 })
    await cutAt(['unshelve-server/1:host:finished'], () => session.action(id, 'unshelve'))
    await session.becomes(id, 'ACTIVE')
    expect((await booted(session, id, 1)).mark).toBe('cut')
    await keeps()
  })

  it('a rebuild: the disk begins anew', async () => {
    const rebuild = async () => session.action(id, 'rebuild', { imageRef: await session.imageId('tiny') })
    await cutAt(['rebuild-server/1:end:finished'], rebuild)
    await session.becomes(id, 'ACTIVE')
    expect((await booted(session, id, 1)).mark).toBe('nobody')
    await cutWhen('the disk gone', touched('root'), rebuild)
    await session.becomes(id, 'ACTIVE')
    await cutWhen('the guest being started', newFile('console.log'), rebuild)
    await session.becomes(id, 'ACTIVE')
    expect((await booted(session, id, 1)).mark).toBe('nobody')
    await keeps()
  })

  it('everything, after which nothing is left', async () => {
    await session.delete(id)
    expect((await images()).map(({ name }) => name)).toEqual(['tiny'])
    expect(await cloud.stop()).toBe(0)
    expect(leftovers(host, dataDir, libvirtDir)).toEqual(nothing)
  })
})
