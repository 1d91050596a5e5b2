import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type MockDaemon, startMockDaemon } from './index.ts'

const run = promisify(execFile)

let dir: string
let daemon: MockDaemon
const servers: Server[] = []

/** Joins a client to the mock daemon's UNIX socket. */
const joinDaemon = (client: Socket) => {
  const inner = connectSocket(daemon.socket)
  client.pipe(inner).pipe(client)
  client.on('error', () => inner.destroy())
  client.on('close', () => inner.destroy())
  inner.on('error', () => client.destroy())
}
const listen = async (server: Server): Promise<number> => {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Keys of an authority, a server and a client, in the files that libvirt names so. */
const makeKeys = async () => {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: dir })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout']
  await openssl('req', '-x509', ...key, 'cakey.pem', '-out', 'cacert.pem', '-subj', '/CN=ca', '-days', '2')
  for (const name of ['server', 'client']) {
    await openssl('req', ...key, `${name}key.pem`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1')
    const sign = ['-CA', 'cacert.pem', '-CAkey', 'cakey.pem', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '2']
    await openssl('x509', '-req', '-in', `${name}.csr`, ...sign, '-out', `${name}cert.pem`)
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lv-'))
  daemon = await startMockDaemon({ socket: join(dir, 'sock') })
})

afterAll(async () => {
  for (const server of servers) server.close()
  await daemon[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

test('TCP', async () => {
  const port = await listen(createServer(joinDaemon))
  await using connection = await connect({ uri: `qemu+tcp://127.0.0.1:${port}/system` })
  expect(await connection.hostname()).toBe('mock')
})

test('over TCP no password is sent', async () => {
  await using guarded = await startMockDaemon({ socket: join(dir, 'sasl'), sasl: { username: 'u', password: 'p' } })
  const port = await listen(createServer((client) => client.pipe(connectSocket(guarded.socket)).pipe(client)))
  const attempt = connect({ uri: `qemu+tcp://127.0.0.1:${port}/system`, auth: { username: 'u', password: 'p' } })
  await expect(attempt).rejects.toMatchObject({ codeName: 'AUTH_UNAVAILABLE' })
  expect(guarded.calls.map(({ procedure }) => procedure)).toEqual(['authList'])
})

describe('TLS', () => {
  const serve = async (greeting: Buffer) => {
    const [key, cert, ca] = await Promise.all(['serverkey.pem', 'servercert.pem', 'cacert.pem'].map((name) => readFile(join(dir, name))))
    return listen(
      createTlsServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (client) => {
        client.write(greeting)
        joinDaemon(client)
      }).on('tlsClientError', () => undefined),
    )
  }

  beforeAll(makeKeys)

  test('with a certificate on both sides, and the byte that says welcome', async () => {
    const port = await serve(Buffer.from([1]))
    await using connection = await connect({ uri: `qemu+tls://127.0.0.1:${port}/system?pkipath=${dir}` })
    expect(await connection.hostname()).toBe('mock')
    expect((await connection.capabilities()).length).toBeGreaterThan(100)
  })

  test('is refused without that byte', async () => {
    const port = await serve(Buffer.from([0]))
    await expect(connect({ uri: `qemu+tls://127.0.0.1:${port}/system?pkipath=${dir}` })).rejects.toThrow('refused the client certificate')
  })

  test('is refused to a server that is another', async () => {
    const port = await serve(Buffer.from([1]))
    await expect(connect({ uri: `qemu+tls://localhost:${port}/system?pkipath=${dir}` })).rejects.toMatchObject({ name: 'ConnectionLost' })
  })
})

describe('SSH', () => {
  /** Stands in for ssh and the far end's netcat: notes its arguments, and joins its streams to the mock daemon. */
  const fakeSsh = async (body: string) => {
    await writeFile(join(dir, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/arguments'\n${body}\n`)
    await chmod(join(dir, 'ssh'), 0o700)
    vi.stubEnv('PATH', `${dir}:${process.env.PATH}`)
  }

  test('runs netcat at the far end, quoted for its shell', async () => {
    const pipe = `const s = require('node:net').connect(${JSON.stringify(daemon.socket)}); process.stdin.pipe(s).pipe(process.stdout)`
    await writeFile(join(dir, 'far.cjs'), pipe)
    await fakeSsh(`exec '${process.execPath}' '${dir}/far.cjs'`)
    await using connection = await connect({ uri: "qemu+ssh://me@host:2222/system?keyfile=/k&socket=/a'b" })
    expect(await connection.hostname()).toBe('mock')
    const given = await readFile(join(dir, 'arguments'), 'utf8')
    expect(given.trim().split('\n')).toEqual([
      '-T',
      '-e',
      'none',
      '-o',
      'BatchMode=yes',
      '-p',
      '2222',
      '-l',
      'me',
      '-i',
      '/k',
      '--',
      'host',
      `nc -U '/a'\\''b'`,
    ])
    vi.unstubAllEnvs()
  })

  test('tells what ssh told', async () => {
    await fakeSsh("echo 'Permission denied (publickey).' >&2; exit 255")
    await expect(connect({ uri: 'qemu+ssh://host/system' })).rejects.toThrow('Permission denied')
    vi.unstubAllEnvs()
  })
})
