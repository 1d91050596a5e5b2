/** Key pairs over HTTP. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.key_pairs': '12' } })
})
afterAll(() => cloud[Symbol.asyncDispose]())

const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const field = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0, 0, 0, bytes.length), bytes])
const ed25519 = `ssh-ed25519 ${Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.alloc(32, 1))]).toString('base64')} me@here`
/** A key of OpenStack's own samples, with its fingerprint. */
const rsa =
  'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0lRE+PiqSPO8nDPHw0010JeMH9gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw== Generated-by-Nova'
/** A self-signed certificate whose key nobody has. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUYM6qGhE+Ug8Og0nlrz4Tn5Ei4hwwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxNTMzNDFaGA8yMTI2MTAyOTE1MzM0
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGGH
b47yXiVfb/67WIxcMf2TOqES8WdIkMtVUqz0fg0pEB0+u4Y8k4aRAKYv9fgx1jzz
KiVF641BBSoBCQOzGo6jUzBRMB0GA1UdDgQWBBSm7unRvNomP1I05AV03TQm4ASV
2jAfBgNVHSMEGDAWgBSm7unRvNomP1I05AV03TQm4ASV2jAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIHWQrfr67crcCPUi1BkvRoJm0zaBs9pMv0K0
hSvXPOz/AiEA0IBFZBs0QtGneEEFODpmiprs2Z8n3OQ7sdaxVP5D2Vo=
-----END CERTIFICATE-----
`
const certificateFingerprint = '9d:62:c1:51:7d:92:a4:dc:5a:81:60:07:d9:48:57:03:fd:2b:a2:d7'
const make = (name: string, over: Record<string, unknown> = {}, options: CloudCall = {}) =>
  call('POST', '/os-keypairs', { as: 'demo', ...options, body: { keypair: { name, public_key: rsa, ...over } } })
const drop = (name: string) => call('DELETE', `/os-keypairs/${name}`, { as: 'demo' })

describe('import', () => {
  it('fingerprints as Nova does, and answers 200 at 2.1 and 201 after', async () => {
    const old = await make('a')
    expect([old.status, old.body.keypair.fingerprint]).toEqual([200, '1e:2c:9b:56:79:4b:45:77:f9:ca:7a:98:2c:b0:d5:3c'])
    const answer = await make('b', { type: 'ssh', public_key: ed25519 }, { version: '2.2' })
    expect([answer.status, answer.body.keypair.type, answer.body.keypair.private_key]).toEqual([201, 'ssh', undefined])
    expect((await make('a')).status).toBe(409)
    expect((await drop('a')).status).toBe(202)
    expect((await call('DELETE', '/os-keypairs/b', { as: 'demo', version: '2.2' })).status).toBe(204)
    expect((await drop('a')).status).toBe(404)
  })

  it.each([
    ['no key', { public_key: 'bad' }],
    ['another type inside', { public_key: rsa.replace('ssh-rsa', 'ssh-ed25519') }],
    ['a key cut short', { public_key: `${rsa.slice(0, 80)}` }],
    ['two lines', { public_key: `${ed25519}\n${ed25519}` }],
    ['a type from a prototype', { public_key: 'constructor AAAA' }],
    ['a certificate that is none', { public_key: rsa, type: 'x509' }],
  ])('refuses %s', async (_what, over) => {
    const answer = await make('c', over, { version: '2.2' })
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, 'Keypair data is invalid: failed to generate fingerprint'])
  })

  it('takes dots and at signs in names from 2.92, where a key must be sent', async () => {
    expect((await make('me@home.net')).status).toBe(400)
    expect((await make('me@home.net', {}, { version: '2.92' })).status).toBe(201)
    expect((await make('x', { public_key: undefined }, { version: '2.92' })).status).toBe(400)
    expect((await drop('me@home.net')).status).toBe(202)
  })

  it('takes an X.509 certificate, whose fingerprint is a SHA-1', async () => {
    const answer = await make('cert', { type: 'x509', public_key: certificate }, { version: '2.2' })
    expect([answer.status, answer.body.keypair.fingerprint]).toEqual([201, certificateFingerprint])
    await drop('cert')
  })
})

describe('generate', () => {
  it('answers a private key that fits the public one, once', async () => {
    const { keypair } = (await make('gen', { public_key: undefined })).body
    const shown = (await call('GET', '/os-keypairs/gen', { as: 'demo' })).body.keypair
    expect([shown.private_key, shown.public_key]).toEqual([undefined, keypair.public_key])
    expect(keypair.private_key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/)
    const { n } = createPublicKey(createPrivateKey(keypair.private_key)).export({ format: 'jwk' })
    const blob = Buffer.from(keypair.public_key.split(' ')[1], 'base64')
    expect(blob.subarray(-256).toString('base64url')).toBe(n)
    await drop('gen')
  })

  it('makes a certificate for type x509 up to 2.91, whose key file is answered once', async () => {
    const answer = await make('gen', { type: 'x509', public_key: undefined }, { version: '2.91' })
    const { keypair } = answer.body
    const found = new X509Certificate(keypair.public_key)
    expect([answer.status, keypair.type, keypair.fingerprint]).toEqual([201, 'x509', found.fingerprint.toLowerCase()])
    expect(found.subject).toBe(`CN=${keypair.user_id}`)
    expect(Buffer.from(keypair.private_key, 'base64').toString('base64')).toBe(keypair.private_key)
    const shown = (await call('GET', '/os-keypairs/gen', { as: 'demo', version: '2.91' })).body.keypair
    expect([shown.private_key, shown.public_key]).toEqual([undefined, keypair.public_key])
    await drop('gen')
    expect((await make('gen', { type: 'x509', public_key: undefined }, { version: '2.92' })).status).toBe(400)
  })
})

describe('whose pairs', () => {
  it('are for their user and administrators, from 2.10', async () => {
    const { user_id: demo } = (await make('mine')).body.keypair
    expect((await call('GET', '/os-keypairs/mine')).status).toBe(404)
    expect((await call('GET', `/os-keypairs/mine?user_id=${demo}`, { version: '2.10' })).status).toBe(200)
    expect((await call('GET', `/os-keypairs/mine?user_id=${demo}`, { version: '2.9' })).status).toBe(404)
    const other = await call('GET', '/os-keypairs?user_id=somebody', { as: 'demo', version: '2.10' })
    expect([other.status, other.body.forbidden.message]).toEqual([
      403,
      "Policy doesn't allow os_compute_api:os-keypairs:index to be performed.",
    ])
    expect((await make('x', { user_id: 'somebody' }, { version: '2.10' })).status).toBe(403)
    expect((await make('x', { user_id: demo }, { version: '2.10', as: 'admin' })).body.keypair.user_id).toBe(demo)
    await Promise.all([drop('mine'), drop('x')])
  })
})

describe('list', () => {
  it('comes by name, in pages from 2.35', async () => {
    for (const name of ['c', 'a', 'b']) await make(name)
    const names = async (query: string, version = '2.35') =>
      (await call('GET', `/os-keypairs${query}`, { as: 'demo', version })).body.keypairs.map(
        (one: { keypair: { name: string } }) => one.keypair.name,
      )
    expect(await names('?limit=2')).toEqual(['a', 'b'])
    expect(await names('?marker=b')).toEqual(['c'])
    expect(await names('?limit=0')).toEqual(['a', 'b', 'c'])
    expect(await names('?limit=1', '2.34')).toEqual(['a', 'b', 'c'])
    expect((await call('GET', '/os-keypairs?marker=nope', { as: 'demo', version: '2.35' })).body.badRequest.message).toBe(
      'Marker nope could not be found.',
    )
    expect((await call('GET', '/os-keypairs?colour=red', { as: 'demo', version: '2.75' })).status).toBe(400)
    await Promise.all(['a', 'b', 'c'].map(drop))
  })

  it('ends at the quota', async () => {
    for (let i = 0; i < 12; i += 1) expect((await make(`q${i}`)).status).toBe(200)
    const answer = await make('q12', { public_key: undefined })
    expect([answer.status, answer.body.forbidden.message]).toEqual([403, 'Quota exceeded, too many key pairs.'])
  })
})

it('answers no body with a fault of the server', async () => {
  const value = fc.oneof(
    fc.string(),
    fc.string().map((text) => `ssh-rsa ${Buffer.from(text).toString('base64')}`),
    fc.integer(),
    fc.constant(null),
  )
  const body = fc.record({ name: value, type: value, public_key: value, user_id: value }, { requiredKeys: [] })
  await fc.assert(
    fc.asyncProperty(body, async (keypair) => {
      const answer = await call('POST', '/os-keypairs', { as: 'demo', version: '2.92', body: { keypair } })
      expect(answer.status).toBeLessThan(500)
    }),
    { numRuns: 100 },
  )
})
