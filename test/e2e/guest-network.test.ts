/**
 * Guests that talk: to each other by name, through their security groups, past their router to an outside, and to the
 * metadata service. Guests say what they found by a script in their user data; the test itself speaks from namespaces.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import type { ServeProcess } from '../support/process.ts'
import { makeRealHost, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const missing = realHostMissing()
const run = promisify(execFile)
/** Of TEST-NET-2: an address that nothing here has. */
const outsideIp = '198.51.100.2'
const echoPort = 8080
const echo = `require('node:http').createServer((q, a) => a.end('from ' + q.socket.remoteAddress)).listen(${echoPort}, '${outsideIp}')`

/** What `web` does when it is up; each line that it prints begins with a word of its own. */
const webScript = `#!/bin/sh
i=0
until ping -c 1 -W 1 db > /dev/null 2>&1 || [ $i -ge 60 ]; do i=$((i + 1)); sleep 1; done
echo "ping-db $(ping -c 2 -W 2 db | grep -c 'bytes from')"
echo "dns $(nslookup db | grep -o '10[.]20[.]0[.]5.*' | sort -u)"
echo "outside $(timeout 10 wget -q -O - http://${outsideIp}:${echoPort}/)"
echo "ssh-db $(echo | timeout 5 nc db 22 | cut -c 1-7)"
echo "cards $(ip -4 -o addr | grep -c eth)"
ip addr add 10.20.0.99/22 dev eth0
echo "own $(ping -c 2 -W 2 10.20.0.1 | grep -c 'bytes from')"
echo "forged $(ping -c 2 -W 2 -I 10.20.0.99 10.20.0.1 | grep -c 'bytes from')"
ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:01; ip link set eth0 up
echo "mac $(ping -c 2 -W 2 -I eth0 10.20.0.50 | grep -c 'bytes from')"
echo "script end"
`

describe.skipIf(missing !== null && process.env.CI !== 'true')(`guests on their networks${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-net-'))
  const dataDir = join(dir, 'data')
  const outside = `mco${process.pid}`
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  let echoServer: ChildProcess
  let said: Promise<string>
  const ids: Record<string, string> = {}

  beforeAll(async () => {
    host = await makeRealHost(join(dir, 'libvirt'))
    makeOutside(host.namespace, outside)
    echoServer = spawn('ip', ['netns', 'exec', outside, process.execPath, '-e', echo], { stdio: 'ignore' })
    cloud = await host.serve({ dataDir })
    session = await Session.login(cloud)
    await bootAll()
    said = session.says(ids.web ?? '', 'script end')
    said.catch(() => undefined)
  })
  afterAll(async () => {
    echoServer?.kill('SIGKILL')
    await session?.deleteAll().catch(() => undefined)
    await cloud?.stop()
    await host?.[Symbol.asyncDispose]()
    execFileSync('ip', ['netns', 'del', outside])
    await removeLibvirtdDir(dir)
  })

  async function bootAll(): Promise<void> {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')])
    const keypair = { name: 'me', public_key: readFileSync(join(dir, 'key.pub'), 'utf8') }
    await session.call('POST', '/compute/v2.1/os-keypairs', { keypair })
    const privateId = await session.networkId('private')
    const { network } = await session.call('POST', '/network/v2.0/networks', { network: { name: 'back' } })
    const subnet = { network_id: network.id, ip_version: 4, cidr: '192.168.77.0/24', gateway_ip: null }
    await session.call('POST', '/network/v2.0/subnets', { subnet })
    const wish = { network_id: privateId, name: 'mine', fixed_ips: [{ ip_address: '10.20.0.50' }] }
    const { port } = await session.call('POST', '/network/v2.0/ports', { port: wish })
    const user_data = Buffer.from(webScript).toString('base64')
    const servers = [
      { name: 'db', networks: [{ port: port.id }], key_name: 'me' },
      { name: 'web', networks: [{ uuid: privateId }, { uuid: network.id }], user_data },
      { name: 'alone', networks: 'none', config_drive: true, key_name: 'me' },
    ]
    await Promise.all(
      servers.map(async (server) => {
        ids[server.name] = await session.create(server)
      }),
    )
    await Promise.all(Object.values(ids).map((id) => session.becomes(id, 'ACTIVE')))
  }

  const spaceOf = async (network: string) => `${prefixOf(dataDir)}-net-${await session.networkId(network)}`
  const from = async (space: string, ...command: string[]) =>
    (await run('ip', ['netns', 'exec', space, ...command], { timeout: 20_000 }).catch(({ stdout }) => ({ stdout }))).stdout as string
  /** What the ssh server of `db` says to one who is in no group. */
  const banner = async () => from(await spaceOf('private'), 'timeout', '1', 'bash', '-c', 'exec 3<>/dev/tcp/10.20.0.50/22; head -c 7 <&3')
  const resolve = async (name: string): Promise<string> => {
    const script = `const r = new (require('node:dns').promises.Resolver)({ timeout: 1000, tries: 3 }); r.setServers(['10.20.0.2'])
      r.resolve4('${name}.minicloud.internal').then((found) => console.log(found.sort().join(' ')), (e) => console.log(e.code))`
    return (await from(await spaceOf('private'), process.execPath, '-e', script)).trim()
  }

  it('a config drive tells a guest without a network who it is', async () => {
    const log = await session.says(ids.alone ?? '', 'tiny: ready')
    expect(log).toContain('tiny: metadata from config drive')
    expect(log).toContain('tiny: hostname alone')
    expect(log).toContain('tiny: ssh key installed (1)')
  })

  it('a port with an address of its own keeps both, and gives them to its guest', async () => {
    const log = await session.says(ids.db ?? '', 'tiny: ready')
    expect(log).toContain('tiny: dhcp eth0 10.20.0.50/22')
    expect(log).toContain('tiny: metadata from http://169.254.169.254')
    expect((await session.server(ids.db ?? '')).addresses.private[0].addr).toBe('10.20.0.50')
  })

  it('a guest with two networks finds another by name, gets out through its router, and cannot forge', async () => {
    const log = await said
    const word = (name: string) => new RegExp(`^${name} (.*?)\\r?$`, 'm').exec(log)?.[1]
    expect(log).toMatch(/tiny: dhcp eth1 192\.168\.77\.\d+\/24/)
    expect(Object.fromEntries(['ping-db', 'dns', 'ssh-db', 'cards', 'own', 'forged', 'mac'].map((name) => [name, word(name)]))).toEqual({
      'ping-db': '2',
      dns: '10.20.0.50',
      'ssh-db': 'SSH-2.0',
      cards: '2',
      own: '2',
      forged: '0',
      mac: '0',
    })
    expect(word('outside')).toBe('from 198.51.100.1')
  })

  it('a group opens and closes for a guest that runs', async () => {
    await session.says(ids.db ?? '', 'tiny: ready')
    expect(await banner()).toBe('')
    const port = (await session.call('GET', '/network/v2.0/ports?name=mine')).ports[0]
    const rule = {
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
      security_group_id: port.security_groups[0],
    }
    const made = await session.call('POST', '/network/v2.0/security-group-rules', { security_group_rule: rule })
    await until('the port to open', async () => (await banner()) === 'SSH-2.0', 10_000)
    await session.call('DELETE', `/network/v2.0/security-group-rules/${made.security_group_rule.id}`)
    await until('the port to close', async () => (await banner()) === '', 10_000)
  })

  it('a name leads to the server that has it now', async () => {
    expect(await resolve('db')).toBe('10.20.0.50')
    await session.delete(ids.db ?? '')
    await until('the name to be gone', async () => (await resolve('db')) === 'ENOTFOUND', 10_000)
    expect((await session.call('GET', '/network/v2.0/ports?name=mine')).ports[0]).toMatchObject({ device_id: '', status: 'DOWN' })
    const again = await session.create({ name: 'db' })
    const { addresses } = await session.becomes(again, 'ACTIVE')
    await until('the name to be there', async () => (await resolve('db')) === addresses.private[0].addr, 10_000)
  })
})

/** A namespace beside the host's, that knows no way back to guests: only what the host sends as its own is answered. */
function makeOutside(hostSpace: string, outside: string): void {
  const ip = (...args: string[]) => execFileSync('ip', args, { timeout: 20_000 })
  ip('netns', 'add', outside)
  ip('-n', hostSpace, 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside)
  ip('-n', hostSpace, 'addr', 'add', '198.51.100.1/24', 'dev', 'uplink')
  ip('-n', hostSpace, 'link', 'set', 'uplink', 'up')
  ip('-n', outside, 'addr', 'add', `${outsideIp}/24`, 'dev', 'eth0')
  ip('-n', outside, 'link', 'set', 'eth0', 'up')
}
