import { spawnSync } from 'node:child_process'
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { integer, octets, oid, small, time } from './der.ts'
import { generateX509Key } from './x509-keys.ts'

const hex = (bytes: Buffer) => bytes.toString('hex')
const openssl = (args: string[], input: Buffer | string) => spawnSync('openssl', args, { input })
const hasOpenssl = openssl(['version'], '').status === 0

describe('values in DER', () => {
  it.each([
    [oid('1.2.840.113549'), '06062a864886f70d'],
    [oid('2.5.4.3'), '0603550403'],
    [small(0), '020100'],
    [small(128), '02020080'],
    [small(2048), '02020800'],
    [integer(Buffer.of(0, 0, 0x7f)), '02017f'],
    [time(new Date('2049-12-31T23:59:59.999Z')), `170d${Buffer.from('491231235959Z').toString('hex')}`],
    [time(new Date('2050-01-01T00:00:00Z')), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
  ])('%#', (made, wanted) => {
    expect(hex(made)).toBe(wanted)
  })

  it('tell their length whatever it is', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 127, 128, 255, 256, 65_535, 65_536), (length) => {
        const made = octets(Buffer.alloc(length))
        const [count, start] =
          (made[1] ?? 0) < 0x80 ? [made[1], 2] : [made.readUIntBE(2, (made[1] ?? 0) & 0x7f), 2 + ((made[1] ?? 0) & 0x7f)]
        expect([count, made.length]).toEqual([length, start + length])
      }),
    )
  })
})

describe('a pair made here', async () => {
  const now = new Date('2026-11-22T18:00:00Z')
  const made = await generateX509Key('3a0b', now)
  const certificate = new X509Certificate(made.publicKey)

  it('is a certificate for ten years that its own key has signed', () => {
    expect(certificate.subject).toBe('CN=3a0b')
    expect(certificate.issuer).toBe('CN=3a0b')
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.validFromDate).toEqual(now)
    expect(certificate.validToDate.getTime() - now.getTime()).toBe(3650 * 86_400_000)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    const sha1 = createHash('sha1').update(certificate.raw).digest('hex')
    expect(made.fingerprint).toBe(sha1.match(/../g)?.join(':'))
  })

  it.skipIf(!hasOpenssl)('names the user as Windows does', () => {
    const { stdout } = openssl(['x509', '-noout', '-text'], made.publicKey)
    expect(String(stdout)).toMatch(/othername: UPN::3a0b@localhost|othername: (UPN::|1\.3\.6\.1\.4\.1\.311\.20\.2\.3)/i)
  })

  it.skipIf(!hasOpenssl)('has a key file that opens with an empty password, and with no other', () => {
    const file = Buffer.from(made.privateKey, 'base64')
    const opened = openssl(['pkcs12', '-nodes', '-passin', 'pass:'], file)
    expect(opened.status, String(opened.stderr)).toBe(0)
    const text = String(opened.stdout)
    const key = createPrivateKey(/-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----/.exec(text)?.[0] ?? '')
    expect(certificate.checkPrivateKey(key)).toBe(true)
    const inside = new X509Certificate(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text)?.[0] ?? '')
    expect(inside.fingerprint256).toBe(certificate.fingerprint256)
    expect(openssl(['pkcs12', '-nodes', '-passin', 'pass:x'], file).status).not.toBe(0)
  })
})
