/**
 * What the Compute API does to servers beyond starting and stopping them, as real guests see it: each boot of a guest tells
 * what machine and which disk it found.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { leftovers, makeRealHost, nothing, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { agentAnswers, booted, tellingUserData } from '../support/telling-guest.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()
const compute = '/compute/v2.1'

describe.skipIf(missing !== null && process.env.CI !== 'true')(`actions on guests${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-actions-'))
  const dataDir = join(dir, 'data')
  const libvirtDir = join(dir, 'libvirt')
  const images: string[] = []
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  /** Whose servers are not an administrator's. */
  let demo: Session
  let ids: Record<'copied' | 'sized' | 'shelved', string>

  const create = (name: string, more: Record<string, unknown> = {}, as = session) =>
    as.create({ name, user_data: tellingUserData, ...more })
  const domainOf = async (id: string) => `${prefixOf(dataDir)}-${(await session.server(id))['OS-EXT-SRV-ATTR:instance_name']}`
  const addressOf = async (id: string): Promise<string> => (await session.server(id)).addresses.private[0].addr
  const portsOf = async (id: string): Promise<{ port_id: string; mac_addr: string }[]> =>
    (await session.call('GET', `${compute}/servers/${id}/os-interface`)).interfaceAttachments
  /** The rooms that placement keeps for a server. */
  const allocationsOf = async (id: string) => Object.keys((await session.call('GET', `/placement/allocations/${id}`)).allocations)

  const isFilled = (id: string) =>
    until('the image to be active', async () => (await session.call('GET', `/image/v2/images/${id}`)).status === 'active')
  /** A guest that does not run is copied too, and goes on where it stood. */
  const copiedWhile = async (id: string, [action, back]: readonly [string, string], status: string) => {
    await session.action(id, action)
    await session.becomes(id, status)
    const { image_id } = await session.action(id, 'createImage', { name: status })
    images.push(image_id)
    await isFilled(image_id)
    await session.becomes(id, status)
    await session.action(id, back)
    await session.becomes(id, 'ACTIVE')
  }
  const diagnosed = async (id: string) => {
    const [old, now] = await Promise.all(
      ['2.47', '2.48'].map(async (version) => {
        const answer = await session.request('GET', `${compute}/servers/${id}/diagnostics`, undefined, {
          'openstack-api-version': `compute ${version}`,
        })
        expect(answer.status, JSON.stringify(answer.body)).toBe(200)
        return answer.body
      }),
    )
    expect([old.memory, old.vda_read > 0, old.cpu0_time > 0]).toEqual([196_608, true, true])
    expect(now).toMatchObject({ state: 'running', driver: 'libvirt', num_cpus: 1, num_nics: 1, memory_details: { maximum: 192 } })
    expect([now.disk_details[0].read_bytes > 0, now.nic_details[0].tx_packets > 0, now.cpu_details[0].time > 0]).toEqual([true, true, true])
  }
  const flavor = async (name: string, vcpus: number, ram: number, disk: number) => {
    const blanks = { 'OS-FLV-EXT-DATA:ephemeral': 1, swap: 64 }
    await session.call('POST', `${compute}/flavors`, { flavor: { id: name, name, vcpus, ram, disk, ...blanks } })
    const extra_specs = { 'hw:vif_multiqueue_enabled': 'true' }
    await session.call('POST', `${compute}/flavors/${name}/os-extra_specs`, { extra_specs })
    return name
  }
  /** The queues of each interface of a guest, as the hypervisor has them. */
  const queuesOf = async (id: string) =>
    host
      .virsh('dumpxml', await domainOf(id))
      .split('<interface ')
      .slice(1)
      .map((nic) => Number(/<driver [^>]*queues='(\d+)'/.exec(nic)?.[1] ?? 1))
  /** What the hypervisor says that the guest has. */
  const definedAs = async (id: string) => {
    const domain = await domainOf(id)
    const xml = host.virsh('dumpxml', domain)
    return {
      memoryMib: Number(/<memory unit='KiB'>(\d+)</.exec(xml)?.[1]) / 1024,
      vcpus: Number(/<vcpu[^>]*>(\d+)</.exec(xml)?.[1]),
      diskGib: Number(/Capacity: +(\d+)/.exec(host.virsh('domblkinfo', domain, 'vda'))?.[1]) / 1024 ** 3,
    }
  }

  beforeAll(async () => {
    host = await makeRealHost(libvirtDir)
    cloud = await host.serve({
      dataDir,
      env: { MINICLOUD_SHUTDOWN_TIMEOUT: '5', MINICLOUD_SHELVED_OFFLOAD_TIME: '-1', MINICLOUD_RECLAIM_INSTANCE_INTERVAL: '3600' },
    })
    session = await Session.login(cloud)
    demo = await Session.login(cloud, 'demo')
    const names = ['copied', 'sized', 'shelved'] as const
    ids = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await create(name, {}, name === 'shelved' ? demo : session)])),
    ) as typeof ids
    await Promise.all(Object.values(ids).map((id) => session.becomes(id, 'ACTIVE')))
  })
  afterAll(async () => {
    await cloud?.stop('SIGKILL')
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })

  it.concurrent('an image of a running server boots with what was on its disk, interfaces come and go, a rebuild keeps the first, a deleted one is restored', async () => {
    const { copied } = ids
    expect((await booted(session, copied, 1)).mark).toBe('nobody')
    await agentAnswers(host, await domainOf(copied))
    const { image_id } = await session.action(copied, 'createImage', { name: 'copy' })
    images.push(image_id)
    await isFilled(image_id)
    await session.becomes(copied, 'ACTIVE')
    await session.says(copied, /agent: file systems at rest[\s\S]*agent: file systems go on/)
    const child = await create('child', { imageRef: image_id })

    await diagnosed(copied)
    await session.action(copied, 'changePassword', { adminPass: 'a "new" one' })
    await session.says(copied, 'tiny: agent: password of root changed')
    await session.becomes(copied, 'ACTIVE')
    const backups = []
    for (const name of ['monday', 'tuesday']) {
      const made = await session.action(copied, 'createBackup', { name, backup_type: 'daily', rotation: 1 })
      backups.push(made.image_id)
      await session.becomes(copied, 'ACTIVE')
    }
    expect(await Promise.all(backups.map(async (id) => (await session.request('GET', `/image/v2/images/${id}`)).body.status))).toEqual([
      undefined,
      'active',
    ])
    images.push(backups[1])

    const net_id = await session.networkId('private')
    const { interfaceAttachment } = await session.call('POST', `${compute}/servers/${copied}/os-interface`, {
      interfaceAttachment: { net_id },
    })
    await session.says(copied, 'tiny: nic eth1 added')
    await session.says(copied, `tiny: dhcp eth1 ${interfaceAttachment.fixed_ips[0].ip_address}/`)
    await session.call('DELETE', `${compute}/servers/${copied}/os-interface/${interfaceAttachment.port_id}`)
    await session.says(copied, 'tiny: nic eth1 removed')
    await until('the port to be gone', async () => (await portsOf(copied)).length === 1)

    const before = [await addressOf(copied), await portsOf(copied)]
    await session.action(copied, 'rebuild', { imageRef: await session.imageId('tiny') })
    await session.becomes(copied, 'ACTIVE')
    expect([await addressOf(copied), await portsOf(copied)]).toEqual(before)
    expect((await booted(session, copied, 1)).mark).toBe('nobody')
    expect(await session.consoleLog(copied)).toContain(`tiny: dhcp eth0 ${before[0]}/`)

    await session.becomes(child, 'ACTIVE')
    expect((await booted(session, child, 1)).mark).toBe('copied')

    await session.request('DELETE', `${compute}/servers/${copied}`)
    await session.becomes(copied, 'SOFT_DELETED')
    expect(host.virsh('domstate', await domainOf(copied)).trim()).toBe('shut off')
    await session.action(copied, 'restore')
    await session.becomes(copied, 'ACTIVE')
    expect((await booted(session, copied, 2)).mark).toBe('copied')
  })

  it.concurrent('a resize makes the machine bigger, for good when confirmed and not at all when reverted', async () => {
    const { sized } = ids
    const before = await booted(session, sized, 1)
    expect([before.memoryMib < 192, before.diskGib]).toEqual([true, 1])
    await copiedWhile(sized, ['pause', 'unpause'], 'PAUSED')
    await copiedWhile(sized, ['suspend', 'resume'], 'SUSPENDED')
    await session.action(sized, 'resize', { flavorRef: await flavor('bigger', 2, 320, 2) })
    await session.becomes(sized, 'VERIFY_RESIZE')
    const bigger = await booted(session, sized, 2)
    expect([bigger.memoryMib > 192, bigger.diskGib, bigger.mark]).toEqual([true, 2, 'sized'])
    const said = await session.consoleLog(sized)
    for (const line of ['swap of 64 MiB on', 'ephemeral of 1 GiB, mark none.', 'queues 2']) expect(said).toContain(line)
    await session.action(sized, 'confirmResize')
    await session.becomes(sized, 'ACTIVE')
    expect(await definedAs(sized)).toEqual({ memoryMib: 320, vcpus: 2, diskGib: 2 })
    await session.call('POST', `${compute}/servers/${sized}/os-interface`, {
      interfaceAttachment: { net_id: await session.networkId('private') },
    })
    expect(await queuesOf(sized)).toEqual([2, 2])

    await session.action(sized, 'resize', { flavorRef: await flavor('biggest', 1, 448, 3) })
    await session.becomes(sized, 'VERIFY_RESIZE')
    expect([await definedAs(sized), await queuesOf(sized)]).toEqual([{ memoryMib: 448, vcpus: 1, diskGib: 3 }, [1, 1]])
    await session.action(sized, 'revertResize')
    await session.becomes(sized, 'ACTIVE')
    expect(await definedAs(sized)).toEqual({ memoryMib: 320, vcpus: 2, diskGib: 2 })
    expect(await booted(session, sized, 3)).toEqual(bigger)
    expect(await session.consoleLog(sized)).toContain('ephemeral of 1 GiB, mark sized.')
    expect(await queuesOf(sized)).toEqual([2, 2])
    expect((await session.server(sized)).flavor.original_name).toBe('bigger')
  })

  it.concurrent('a shelved server leaves its host and comes back with its disk and address; a rescue boots another disk, its end the own one', async () => {
    const { shelved } = ids
    await booted(session, shelved, 1)
    await session.action(shelved, 'lock')
    for (const action of ['os-stop', 'shelve', 'pause']) {
      const { status, body } = await demo.request('POST', `${compute}/servers/${shelved}/action`, { [action]: null })
      expect([status, body.conflictingRequest?.message]).toEqual([409, `Instance ${shelved} is locked`])
    }
    await session.action(shelved, 'unlock')
    const [address, domain] = [await addressOf(shelved), await domainOf(shelved)]
    await session.action(shelved, 'shelve')
    await session.becomes(shelved, 'SHELVED')
    expect(await allocationsOf(shelved)).toHaveLength(1)
    expect(host.virsh('domstate', domain).trim()).toBe('shut off')
    await session.action(shelved, 'shelveOffload')
    await session.becomes(shelved, 'SHELVED_OFFLOADED')
    expect(await allocationsOf(shelved)).toEqual([])
    expect(host.domains()).not.toContain(domain)
    await session.action(shelved, 'unshelve')
    await session.becomes(shelved, 'ACTIVE')
    expect(await allocationsOf(shelved)).toHaveLength(1)
    expect((await booted(session, shelved, 1)).mark).toBe('shelved')
    expect(await session.consoleLog(shelved)).toContain(`tiny: dhcp eth0 ${address}/`)
    expect(await addressOf(shelved)).toBe(address)

    await session.action(shelved, 'rescue')
    await session.becomes(shelved, 'RESCUE')
    expect((await booted(session, shelved, 2)).mark).toBe('nobody')
    await session.action(shelved, 'unrescue')
    await session.becomes(shelved, 'ACTIVE')
    expect((await booted(session, shelved, 3)).mark).toBe('shelved')

    // With a device of its own the rescue disk boots, and all others keep their places: the guest finds its data again.
    const tiny = `/image/v2/images/${await session.imageId('tiny')}`
    const changes = ['bus=virtio', 'device=disk']
      .map((text) => text.split('='))
      .map(([name, value]) => ({ op: 'add', path: `/hw_rescue_${name}`, value }))
    const patched = await session.request('PATCH', tiny, Buffer.from(JSON.stringify(changes)), {
      'content-type': 'application/openstack-images-v2.1-json-patch',
    })
    expect(patched.status).toBe(200)
    await session.action(shelved, 'rescue')
    await session.becomes(shelved, 'RESCUE')
    expect(
      host
        .virsh('domblklist', domain)
        .match(/\bvd[a-z]\b/g)
        ?.sort(),
    ).toEqual(['vda', 'vdb'])
    expect((await booted(session, shelved, 4)).mark).toBe('shelved')
    await session.action(shelved, 'unrescue')
    await session.becomes(shelved, 'ACTIVE')
  })

  it('leaves nothing', async () => {
    const servers = [...(await session.servers()), ...(await demo.servers())].map(({ id }) => id)
    await Promise.all(servers.map((id) => session.action(id, 'forceDelete')))
    await session.delete(...servers)
    for (const id of images) await session.call('DELETE', `/image/v2/images/${id}`)
    const left = async () => (await session.call('GET', '/image/v2/images')).images.map(({ name }: { name: string }) => name)
    await until('the images to be gone', async () => (await left()).toString() === 'tiny', 10_000)
    expect(await cloud.stop()).toBe(0)
    expect(leftovers(host, dataDir, libvirtDir)).toEqual(nothing)
  })
})
