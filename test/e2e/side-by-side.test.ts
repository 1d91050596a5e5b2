/** Two clouds on one libvirtd and in one network namespace: neither sees the other, and one can be removed without the other. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { leftovers, makeRealHost, nothing, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'

const missing = realHostMissing()
const run = promisify(execFile)
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const address = '10.20.0.77'

describe.skipIf(missing !== null && process.env.CI !== 'true')(`two clouds side by side${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-two-'))
  const libvirtDir = join(dir, 'libvirt')
  const names = ['left', 'right'] as const
  const dataDirs = names.map((name) => join(dir, name))
  let host: RealHost
  let clouds: ServeProcess[] = []
  let sessions: Session[]
  let ids: string[]
  let prefixes: string[]

  beforeAll(async () => {
    host = await makeRealHost(libvirtDir)
    clouds = await Promise.all(dataDirs.map((dataDir) => host.serve({ dataDir })))
    sessions = await Promise.all(clouds.map((cloud) => Session.login(cloud)))
    prefixes = dataDirs.map(prefixOf)
  })
  afterAll(async () => {
    for (const cloud of clouds) await cloud.stop('SIGKILL')
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
  })

  const reset = (dataDir: string) =>
    run(process.execPath, [main, 'reset', '--yes', '--data-dir', dataDir], {
      env: { PATH: process.env.PATH, HOME: dir, ...host.env },
      timeout: 60_000,
    })
  /** Lines of the host that name a cloud: devices, rules, namespaces. */
  const traces = async (prefix: string) => {
    const { stdout } = await run('ip', ['netns', 'list'])
    const lines = `${host.inside('ip', '-br', 'link')}\n${host.rules()}\n${stdout}`.split('\n')
    return lines.filter((line) => line.includes(`${prefix}-`) || line.includes(`mc_${prefix}`))
  }

  it('each has a guest of the same address, and its own image of the world', async () => {
    ids = await Promise.all(
      sessions.map(async (session, i) =>
        session.create({ name: names[i] ?? '', networks: [{ uuid: await session.networkId('private'), fixed_ip: address }] }),
      ),
    )
    await Promise.all(sessions.map((session, i) => session.becomes(ids[i] ?? '', 'ACTIVE')))
    const logs = await Promise.all(sessions.map((session, i) => session.says(ids[i] ?? '', 'tiny: ready')))
    for (const [i, log] of logs.entries()) {
      expect(log).toContain(`tiny: dhcp eth0 ${address}/22`)
      expect(log).toContain('tiny: metadata from http://169.254.169.254')
      expect(log).toContain(`tiny: hostname ${names[i]}`)
      expect(log).not.toContain(`tiny: hostname ${names[1 - i]}`)
    }
    expect(
      host
        .domains()
        .map((name) => name.slice(0, 5))
        .sort(),
    ).toEqual([...prefixes].sort())
    for (const session of sessions) {
      expect(await session.servers()).toHaveLength(1)
      expect((await session.call('GET', '/compute/v2.1/os-hypervisors/statistics')).hypervisor_statistics).toMatchObject({ count: 1 })
    }
  })

  it("a power cut of one and the start after it leave the other's guest alone", async () => {
    await clouds[0]?.stop('SIGKILL')
    clouds[0] = await host.serve({ dataDir: dataDirs[0] ?? '' })
    sessions[0] = await Session.login(clouds[0])
    expect(await Promise.all(sessions.map((session, i) => session.status(ids[i] ?? '')))).toEqual(['ACTIVE', 'ACTIVE'])
    expect(host.domains()).toHaveLength(2)
    expect(host.taps()).toHaveLength(2)
  })

  it('reset refuses a cloud that runs, and removes all of one that is stopped, and of no other', async () => {
    const [left = '', right = ''] = dataDirs
    const [leftPrefix = '', rightPrefix = ''] = prefixes
    await expect(reset(left)).rejects.toThrow(/in use|is using/)
    expect(host.domains()).toHaveLength(2)
    await clouds[0]?.stop()
    expect(await traces(leftPrefix)).not.toEqual([])
    const { stdout } = await reset(left)
    expect(stdout).toContain('removing the guest')
    expect(existsSync(left)).toBe(false)
    expect(existsSync(`/run/minicloud/${leftPrefix}`)).toBe(false)
    expect(await traces(leftPrefix)).toEqual([])
    expect(host.domains().map((name) => name.slice(0, 5))).toEqual([rightPrefix])
    expect(host.taps()).toHaveLength(1)

    const other = sessions[1] as Session
    const id = ids[1] ?? ''
    expect(await other.status(id)).toBe('ACTIVE')
    await other.action(id, 'reboot', { type: 'HARD' })
    await other.says(id, /tiny: ready[\s\S]*tiny: dhcp eth0 10\.20\.0\.77\/22[\s\S]*tiny: ready/)
    await other.delete(id)
    expect(await clouds[1]?.stop()).toBe(0)
    expect(leftovers(host, right, libvirtDir)).toEqual(nothing)
  })
})
