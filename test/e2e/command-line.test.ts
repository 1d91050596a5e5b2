/** The command line, as a person or a script meets it: what is said, exit codes, and what is left behind. */
import { type ExecFileException, execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { hasOpenstack, type ServeProcess, serve } from '../support/process.ts'
import { makeRealHost, prefixOf, type RealHost, realHostMissing } from '../support/real-host.ts'

const program = fileURLToPath(new URL('../../bin/minicloud', import.meta.url))

type Ended = { code: number; out: string; err: string }

/** Runs a command that ends by itself. */
function minicloud(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { timeout: 60_000, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } }
    execFile(program, [...args], options, (error: ExecFileException | null, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
  })
}

const dir = mkdtempSync(join(tmpdir(), 'minicloud-cli-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('with a cloud that runs', () => {
  let cloud: ServeProcess
  beforeAll(async () => {
    cloud = await serve()
  })
  afterAll(() => cloud[Symbol.asyncDispose]())
  const here = () => ['--data-dir', cloud.dataDir]

  test('env prints what a shell needs', async () => {
    const { out, code } = await minicloud(['env', ...here()])
    expect([code, out]).toEqual([0, `export OS_CLIENT_CONFIG_FILE=${cloud.ready.clouds_yaml}\nexport OS_CLOUD=minicloud\n`])
    expect(JSON.parse((await minicloud(['env', '--json', ...here()])).out)).toEqual({
      OS_CLIENT_CONFIG_FILE: cloud.ready.clouds_yaml,
      OS_CLOUD: 'minicloud',
    })
    for (const name of ['clouds.yaml', 'openrc', 'credentials.json']) expect(statSync(join(cloud.dataDir, name)).mode & 0o777).toBe(0o600)
  })

  test('a second cloud is refused the directory, and the port, in one line', async () => {
    const directory = await minicloud(['serve', '--driver', 'fake', '--port', '0', ...here()])
    expect(directory).toMatchObject({ code: 1, out: '' })
    expect(directory.err).toMatch(/^minicloud: Another minicloud is using this data directory \(.*\)\.\n$/)
    const port = await minicloud([
      ...['serve', '--driver', 'fake', '--port', new URL(cloud.ready.url).port, '--data-dir', join(dir, 'second')],
    ])
    expect(port.code).toBe(1)
    expect(port.err).toMatch(/minicloud: cannot start: Cannot listen on 127\.0\.0\.1:\d+: .*\n$/)
  })

  test('reset leaves it alone', async () => {
    expect(await minicloud(['reset', '--yes', ...here()])).toMatchObject({ code: 1, err: expect.stringContaining('Stop it first') })
    expect((await fetch(`${cloud.ready.url}/readyz`)).status).toBe(200)
  })

  test('manage tells the version of its database', async () => {
    const { out } = await minicloud(['manage', 'db', 'version', ...here()])
    expect(out).toMatch(/^[1-9]\d*\n$/)
    expect(JSON.parse((await minicloud(['manage', 'db', 'version', '--json', ...here()])).out)).toEqual({ version: Number(out) })
    expect(await minicloud(['manage', 'db', 'sync', ...here()])).toEqual({ code: 0, out: '', err: '' })
  })

  test('image add uploads a file under the format that its bytes say', async () => {
    const file = join(dir, 'some.img')
    writeFileSync(file, Buffer.alloc(3_000_000, 'some bytes '))
    const { out, code } = await minicloud(['image', 'add', file, '--public', '--json', ...here()])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ name: 'some', disk_format: 'raw', size: 3_000_000, status: 'active', visibility: 'public' })
  })

  test('image add tells why an image is refused, and leaves nothing of it', async () => {
    const file = join(dir, 'other.img')
    writeFileSync(file, Buffer.alloc(1_000_000, 'other bytes '))
    const { err, code } = await minicloud(['image', 'add', file, '--disk-format', 'qcow2', ...here()])
    expect(code).toBe(1)
    expect(err).toMatch(/^minicloud: the cloud refuses \(400\): .*qcow2.*\n$/)
    expect((await minicloud(['image', 'add', join(dir, 'no such file'), ...here()])).err).toMatch(/^minicloud: ENOENT: .*\n$/)
    if (hasOpenstack) expect(await cloud.openstack('image', 'list')).not.toContain('other')
  })
})

describe('without one', () => {
  test('commands say what is missing', async () => {
    const none = join(dir, 'none')
    for (const command of [['env'], ['manage', 'db', 'version'], ['reset', '--yes'], ['image', 'add', program]]) {
      const { code, out, err } = await minicloud([...command, '--data-dir', none])
      expect([command, code, out]).toEqual([command, 1, ''])
      expect(err).toMatch(/^minicloud: [^\n]*none[^\n]*\n$/)
    }
    expect(existsSync(none)).toBe(false)
  })

  test('reset does not touch a directory that is no cloud’s', async () => {
    writeFileSync(join(dir, 'precious'), '')
    expect((await minicloud(['reset', '--yes', '--data-dir', dir])).code).toBe(1)
    expect(existsSync(join(dir, 'precious'))).toBe(true)
  })

  test('manage makes a database, and serve refuses one from a newer minicloud', async () => {
    const dataDir = join(dir, 'managed')
    expect((await minicloud(['manage', 'db', 'sync', '--data-dir', dataDir])).code).toBe(0)
    expect((await minicloud(['manage', 'api_db', 'version', '--data-dir', dataDir])).out).toMatch(/^\d+\n$/)
    const { default: Sqlite } = await import('better-sqlite3')
    const db = new Sqlite(join(dataDir, 'minicloud.db'))
    db.pragma('user_version = 9999')
    db.close()
    const { code, err } = await minicloud(['serve', '--driver', 'fake', '--port', '0', '--data-dir', dataDir])
    expect([code, err]).toEqual([1, expect.stringMatching(/^minicloud: .*schema version 9999.*start a newer minicloud\.\n$/)])
  })

  test('a wrong value of an option ends serve, an unknown one is warned of', async () => {
    const file = join(dir, 'nova.conf')
    writeFileSync(file, '[DEFAULT]\ntransport_url = rabbit://x\n[minicloud]\nport = many\n')
    const { code, err } = await minicloud(['serve', '--config', file, '--data-dir', join(dir, 'wrong')])
    expect([code, err]).toEqual([1, expect.stringMatching(/^minicloud: \[minicloud\] port \(.*\): expected [^\n]*\n$/)])
    writeFileSync(file, '[DEFAULT]\ntransport_url = rabbit://x\n')
    await using cloud = await serve({ command: [program], env: { MINICLOUD_LOG_LEVEL: 'warn' }, dataDir: join(dir, 'warned') })
    expect(cloud.log()).not.toContain('warning')
    const again = await minicloud(['serve', '--config', file, '--driver', 'fake', '--data-dir', join(dir, 'warned')])
    expect(again.err.split('\n')[0]).toBe(
      `warning: ${file}: [DEFAULT] transport_url is not used by minicloud: its parts call each other within one process, without a message broker`,
    )
  })

  test('completion knows every command', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { out } = await minicloud(['completion', shell])
      expect(['serve', 'doctor', 'build-tiny', 'ready-file', 'api_db'].filter((word) => !out.includes(word))).toEqual([])
    }
    expect((await minicloud(['completion', 'csh'])).code).toBe(1)
  })
})

test('SIGTERM and SIGINT end serve with 0; what a client then asks is refused', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await using cloud = await serve()
    expect(await cloud.stop(signal)).toBe(0)
    await expect(fetch(cloud.ready.url)).rejects.toThrow()
  }
})

describe.skipIf((realHostMissing() !== null || !hasOpenstack) && !process.env.CI)('reset of a cloud with guests', () => {
  let host: RealHost
  beforeAll(async () => {
    host = await makeRealHost(join(dir, 'libvirt'))
  })
  afterAll(async () => {
    await host[Symbol.asyncDispose]()
    await removeLibvirtdDir(join(dir, 'libvirt'))
  })

  test('takes guests, bridges, namespaces and files away', async () => {
    const dataDir = join(dir, 'real')
    const cloud = await host.serve({ dataDir })
    await cloud.openstack(...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--wait', 'one'])
    expect(await cloud.stop()).toBe(0)
    const prefix = prefixOf(dataDir)
    const made = () => [host.inside('ip', '-br', 'link'), host.inside('ip', 'netns', 'list'), host.rules()].join('\n').includes(prefix)
    expect([host.domains().length, host.taps().length, made()]).toEqual([1, 1, true])

    const { code, out } = await minicloud(['reset', '--yes', '--data-dir', dataDir], host.env)
    expect([code, out]).toEqual([0, expect.stringContaining('removing the guest instance-00000001')])
    expect([host.domains(), host.taps(), made(), existsSync(dataDir), existsSync(join('/run/minicloud', prefix))]).toEqual([
      [],
      [],
      false,
      false,
      false,
    ])
  })
})
