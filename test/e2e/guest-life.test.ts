/**
 * What happens to guests: minicloud, libvirtd, QEMU or the whole host end under them. Afterwards the API tells the truth,
 * and what can go on goes on.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { leftovers, makeRealHost, nothing, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()
const powerState = 'OS-EXT-STS:power_state'

describe.skipIf(missing !== null && process.env.CI !== 'true')(`the life of guests${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-life-'))
  const dataDir = join(dir, 'data')
  const libvirtDir = join(dir, 'libvirt')
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  /** In the order in which they were launched. */
  let ids: string[]

  const start = async (env: Record<string, string> = {}) => {
    cloud = await host.serve({ dataDir, env })
    session = await Session.login(cloud)
  }
  const statuses = () => Promise.all(ids.map((id) => session.status(id)))
  const domainOf = async (id: string) => `${prefixOf(dataDir)}-${(await session.server(id))['OS-EXT-SRV-ATTR:instance_name']}`
  const stateOf = (domain: string) => host.virsh('domstate', domain).trim()
  const boots = async (id: string) => (await session.consoleLog(id)).split('tiny: ready').length - 1
  const [first, second, third] = [() => ids[0] ?? '', () => ids[1] ?? '', () => ids[2] ?? '']

  beforeAll(async () => {
    host = await makeRealHost(libvirtDir)
    await start()
  })
  afterAll(async () => {
    await cloud?.stop('SIGKILL')
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })

  it('three servers of one request start, and one more is deleted while it is built', async () => {
    await session.create({ name: 'many', networks: 'none', min_count: 3, max_count: 3 })
    const doomed = await session.create({ name: 'doomed' })
    await session.delete(doomed)
    const servers = (await session.servers()).sort((a, b) => a.name.localeCompare(b.name))
    expect(servers.map(({ name }) => name)).toEqual(['many-1', 'many-2', 'many-3'])
    ids = servers.map(({ id }) => id)
    await Promise.all(ids.map((id) => session.becomes(id, 'ACTIVE')))
    expect(host.domains()).toHaveLength(3)
    await until('nothing to be left of the fourth', () => leftovers(host, dataDir, libvirtDir).ports === 0, 10_000)
    expect(leftovers(host, dataDir, libvirtDir)).toMatchObject({
      allocations: 9,
      files: ids.toSorted(),
      nameServers: [],
      taps: [],
      unfinished: 0,
    })
  })

  it('an image that is not what it says, or that names other files, is refused', async () => {
    const upload = async (bytes: Uint8Array, disk_format: string) => {
      const { id } = await session.call('POST', '/image/v2/images', { name: 'hostile', disk_format, container_format: 'bare' })
      const answer = await session.request('PUT', `/image/v2/images/${id}/file`, bytes)
      await session.call('DELETE', `/image/v2/images/${id}`)
      return answer.status
    }
    const good = readFileSync(join(dataDir, 'tiny', 'tiny.qcow2'))
    const backed = Buffer.from(good.subarray(0, 65_536))
    const name = '/etc/shadow'
    backed.writeBigUInt64BE(1024n, 8)
    backed.writeUInt32BE(name.length, 16)
    backed.write(name, 1024)
    expect(await upload(backed, 'qcow2')).toBe(400)
    expect(await upload(good, 'raw')).toBe(400)
    expect(await upload(Buffer.from('KDMV'.padEnd(4096, '\0')), 'vmdk')).toBe(400)
  })

  it('paused, suspended and running guests outlive a stop of minicloud as they are', async () => {
    await Promise.all(ids.map((id) => session.says(id, 'tiny: ready')))
    await session.action(first(), 'pause')
    await session.action(second(), 'suspend')
    await Promise.all([session.becomes(first(), 'PAUSED'), session.becomes(second(), 'SUSPENDED')])
    const domains = await Promise.all(ids.map(domainOf))
    expect(await cloud.stop()).toBe(0)
    expect(domains.map(stateOf)).toEqual(['paused', 'shut off', 'running'])
    await start()
    expect(await statuses()).toEqual(['PAUSED', 'SUSPENDED', 'ACTIVE'])
    await session.action(first(), 'unpause')
    await session.action(second(), 'resume')
    await Promise.all(ids.map((id) => session.becomes(id, 'ACTIVE')))
    expect(domains.map(stateOf)).toEqual(['running', 'running', 'running'])
    expect(await Promise.all(ids.map(boots))).toEqual([1, 1, 1])
  })

  it('without libvirtd an action fails honestly and a delete is owed; both are made good when it is back', async () => {
    const owed = await session.create({ name: 'owed' })
    await session.becomes(owed, 'ACTIVE')
    await host.libvirtd.kill()
    await session.delete(owed)
    expect(await statuses()).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE'])
    await session.action(first(), 'os-stop')
    await session.becomes(first(), 'ACTIVE')
    const [stop] = await session.actions(first())
    expect(stop).toMatchObject({ action: 'stop', message: 'Error' })
    expect(stop.events[0]).toMatchObject({ event: 'compute_stop_instance', result: 'Error' })
    await host.libvirtd.start()
    await until('the hypervisor to answer', async () => await session.consoleLog(first()).catch(() => null), 30_000)
    expect(await boots(first())).toBe(1)
    await session.action(first(), 'os-stop')
    await session.becomes(first(), 'SHUTOFF')
    await session.action(first(), 'os-start')
    await session.becomes(first(), 'ACTIVE')
    const left = () => leftovers(host, dataDir, libvirtDir)
    await until('the guest to end', () => left().files.toString() === ids.toSorted().toString(), 30_000)
    await until('its rules to go', () => left().rules.toString() === '', 10_000)
    expect(host.domains()).toHaveLength(3)
    expect(left()).toMatchObject({ taps: [], ports: 0, allocations: 9 })
  })

  it('a server whose QEMU is killed is off', async () => {
    process.kill(Number(readFileSync(join(libvirtDir, 'run/libvirt/qemu', `${await domainOf(second())}.pid`), 'utf8')), 'SIGKILL')
    const server = await session.becomes(second(), 'SHUTOFF', 10_000)
    expect([4, 6]).toContain(server[powerState])
    await session.action(second(), 'os-start')
    expect((await session.becomes(second(), 'ACTIVE'))[powerState]).toBe(1)
  })

  it('after a start of the host, though libvirtd is late and knows one less, guests start again where that is wished, and are off where it is not', async () => {
    const domains = await Promise.all(ids.map(domainOf))
    // From inside: the guest hears its power button, and minicloud that it went.
    host.virsh('shutdown', domains[2] ?? '')
    expect((await session.becomes(third(), 'SHUTOFF'))[powerState]).toBe(4)
    const powerCut = async () => {
      await cloud.stop('SIGKILL')
      for (const domain of domains) if (stateOf(domain) === 'running') host.virsh('destroy', domain)
    }
    await powerCut()
    host.virsh('undefine', domains[0] ?? '')
    await host.libvirtd.kill()
    await start({ MINICLOUD_RESUME_GUESTS_STATE_ON_HOST_BOOT: 'true' })
    expect(await statuses()).toEqual(['ACTIVE', 'ACTIVE', 'SHUTOFF'])
    await host.libvirtd.start()
    await until(
      'the guests to run',
      () => host.domains().length === 3 && domains.map(stateOf).join() === 'running,running,shut off',
      20_000,
    )
    expect(await statuses()).toEqual(['ACTIVE', 'ACTIVE', 'SHUTOFF'])
    expect((await session.server(first()))[powerState]).toBe(1)
    await powerCut()
    await start()
    expect(await statuses()).toEqual(['SHUTOFF', 'SHUTOFF', 'SHUTOFF'])
    expect((await session.server(first()))[powerState]).toBe(4)
  })

  it('leaves nothing', async () => {
    await session.delete(...ids)
    expect(await cloud.stop()).toBe(0)
    expect(leftovers(host, dataDir, libvirtDir)).toEqual(nothing)
  })
})
