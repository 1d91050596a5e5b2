/**
 * The main job, on a real hypervisor: libvirtd and QEMU, bridges, nftables and dnsmasq inside a network namespace that the
 * test makes, and a guest that tells from inside what it found.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { hasOpenstack, type ServeProcess } from '../support/process.ts'
import { makeRealHost, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()

describe.skipIf((missing !== null || !hasOpenstack) && !process.env.CI)('a real guest', () => {
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  let id: string
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-guest-'))
  const dataDir = join(dir, 'data')

  beforeAll(async () => {
    host = await makeRealHost(join(dir, 'libvirt'))
    cloud = await host.serve({ dataDir })
    session = await Session.login(cloud)
  }, 240_000)
  afterAll(async () => {
    await cloud?.[Symbol.asyncDispose]()
    await host?.[Symbol.asyncDispose]()
    removeLibvirtdDir(dir)
    rmSync(dir, { recursive: true, force: true })
  }, 60_000)

  // What is asked often is asked without the client, which takes a second of a core each time.
  const consoleLog = () => session.consoleLog(id)
  const says = (text: string | RegExp) =>
    until(
      `the guest to say ${text}`,
      async () => {
        const log = await consoleLog()
        return (typeof text === 'string' ? log.includes(text) : text.test(log)) ? log : null
      },
      120_000,
    )
  const status = () => session.status(id)
  const becomes = (wanted: string) => until(`the server to be ${wanted}`, async () => (await status()) === wanted, 90_000)

  it('boots, gets its address, its name, its key and its user data', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')])
    writeFileSync(join(dir, 'script.sh'), '#!/bin/sh\necho "user data ran on $(hostname)"\n')
    await cloud.openstack('keypair', 'create', '--public-key', join(dir, 'key.pub'), 'me')
    const created = await cloud.json(
      ...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--key-name', 'me'],
      ...['--user-data', join(dir, 'script.sh'), '--wait', 'web1'],
    )
    expect(created.status).toBe('ACTIVE')
    id = created.id
    const address = /10\.20\.\d+\.\d+/.exec(JSON.stringify(created.addresses))?.[0] ?? 'no address'
    const log = await says('tiny: ready')
    expect(await cloud.openstack('console', 'log', 'show', 'web1')).toContain('tiny: ready')
    expect(log).toContain(`tiny: dhcp eth0 ${address}/22`)
    expect(log).toContain('tiny: metadata from http://169.254.169.254')
    expect(log).toContain('tiny: hostname web1')
    expect(log).toContain('tiny: ssh key installed (1)')
    expect(log).toContain('user data ran on web1')
    expect(log).toContain('tiny: user-data exit 0')
  })

  it('stops, starts, reboots, pauses, suspends and comes back each time', async () => {
    const boots = async () => (await consoleLog()).split('tiny: ready').length - 1
    await cloud.openstack('server', 'stop', 'web1')
    await becomes('SHUTOFF')
    await cloud.openstack('server', 'start', 'web1')
    await becomes('ACTIVE')
    await until('the second boot', async () => (await boots()) >= 2, 90_000)
    await cloud.openstack('server', 'reboot', '--hard', '--wait', 'web1')
    await until('the third boot', async () => (await boots()) >= 3, 90_000)
    await cloud.openstack('server', 'reboot', '--wait', 'web1')
    await until('the fourth boot', async () => (await boots()) >= 4, 90_000)
    for (const [action = '', state = '', back = ''] of [
      ['pause', 'PAUSED', 'unpause'],
      ['suspend', 'SUSPENDED', 'resume'],
    ]) {
      await cloud.openstack('server', action, 'web1')
      await becomes(state)
      await cloud.openstack('server', back, 'web1')
      await becomes('ACTIVE')
    }
    expect(await boots()).toBe(4)
  })

  it('outlives minicloud and libvirtd', async () => {
    await cloud.stop('SIGKILL')
    cloud = await host.serve({ dataDir })
    session = await Session.login(cloud)
    expect(await status()).toBe('ACTIVE')
    await host.libvirtd.restart()
    await until('the hypervisor to answer again', async () => (await consoleLog().catch(() => null)) && true, 60_000)
    await cloud.openstack('server', 'reboot', '--hard', '--wait', 'web1')
    expect(await status()).toBe('ACTIVE')
  })

  it('leaves nothing when it is deleted', async () => {
    await cloud.openstack('server', 'delete', '--wait', 'web1')
    expect(host.domains()).toEqual([])
    expect(host.taps()).toEqual([])
    const instances = join(dataDir, 'instances')
    expect(existsSync(instances) ? readdirSync(instances) : []).toEqual([])
    await until('rules and leases to be gone', () => (host.rules().includes('tap') ? null : true), 20_000)
    const db = new Sqlite(join(dataDir, 'minicloud.db'), { readonly: true })
    const count = (sql: string) => (db.prepare(sql).get() as { n: number }).n
    expect({
      allocations: count('SELECT count(*) AS n FROM allocations'),
      ports: count("SELECT count(*) AS n FROM ports WHERE device_owner LIKE 'compute:%'"),
      instances: count('SELECT count(*) AS n FROM instances WHERE deleted = 0'),
      unfinished: count("SELECT count(*) AS n FROM minicloud_sagas WHERE state NOT IN ('done', 'undone')"),
    }).toEqual({ allocations: 0, ports: 0, instances: 0, unfinished: 0 })
    db.close()
  })
})
