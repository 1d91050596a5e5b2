/**
 * Key pairs of type x509: a certificate by which a user logs in to a Windows guest (WinRM), and its private key.
 *
 * The certificate is self-signed, for ten years, for clients, and names the user as Windows does (`user@localhost`). The
 * private key is answered as Nova answers it: a PKCS #12 file with an empty password, in Base64.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5280 certificates, https://www.rfc-editor.org/rfc/rfc7292 PKCS #12
 */
import { createHash, createHmac, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { bits, inside, integer, nothing, octets, oid, sequence, setOf, small, time, utf8 } from './der.ts'
import { fingerprintOf } from './ssh-keys.ts'

const modulusBits = 2048
const validDays = 3650
const dayMs = 86_400_000
const serialBytes = 16

const sha256 = () => sequence(oid('2.16.840.1.101.3.4.2.1'), nothing())
const sha256WithRsa = () => sequence(oid('1.2.840.113549.1.1.11'), nothing())
const commonName = (text: string) => sequence(setOf(sequence(oid('2.5.4.3'), utf8(text))))
const extension = (id: string, value: Uint8Array) => sequence(oid(id), octets(value))

async function certificateOf(userId: string, pair: { publicKey: KeyObject; privateKey: KeyObject }, now: Date): Promise<Buffer> {
  const forClients = extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2')))
  const principal = inside(0, oid('1.3.6.1.4.1.311.20.2.3'), inside(0, utf8(`${userId}@localhost`)))
  const body = sequence(
    inside(0, small(2)),
    integer(Buffer.concat([Buffer.of(1), randomBytes(serialBytes - 1)])),
    sha256WithRsa(),
    commonName(userId),
    sequence(time(now), time(new Date(now.getTime() + validDays * dayMs))),
    commonName(userId),
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    inside(3, sequence(forClients, extension('2.5.29.17', sequence(principal)))),
  )
  return sequence(body, sha256WithRsa(), bits(await promisify(sign)('sha256', body, pair.privateKey)))
}

const data = (bytes: Uint8Array) => sequence(oid('1.2.840.113549.1.7.1'), inside(0, octets(bytes)))

/** Key and certificate belong together by a hash of the certificate. */
function keyFile(certificate: Buffer, privateKey: KeyObject): Buffer {
  const together = setOf(sequence(oid('1.2.840.113549.1.9.21'), setOf(octets(createHash('sha1').update(certificate).digest()))))
  const bag = (kind: number, value: Uint8Array) => sequence(oid(`1.2.840.113549.1.12.10.1.${kind}`), inside(0, value), together)
  const shrouded = privateKey.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: '' })
  const certBag = sequence(oid('1.2.840.113549.1.9.22.1'), inside(0, octets(certificate)))
  const safe = sequence(data(sequence(bag(3, certBag))), data(sequence(bag(2, shrouded))))
  return sequence(small(3), data(safe), seal(safe))
}

const rounds = 2048
const hashBlock = 64
const saltBytes = 8
/** What PKCS #12 calls the material of an integrity key. */
const integrityKind = 3

/** The file's seal under the empty password, whose two bytes end it as they end any. */
function seal(safe: Buffer): Buffer {
  const salt = randomBytes(saltBytes)
  const filled = (bytes: Buffer) => Buffer.alloc(hashBlock, bytes)
  let key = Buffer.concat([filled(Buffer.of(integrityKind)), filled(salt), filled(Buffer.of(0, 0))])
  for (let round = 0; round < rounds; round += 1) key = createHash('sha256').update(key).digest()
  const digest = createHmac('sha256', key).update(safe).digest()
  return sequence(sequence(sha256(), octets(digest)), octets(salt), small(rounds))
}

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`

/** A new pair for a user, made and signed off the main thread. */
export async function generateX509Key(userId: string, now: Date): Promise<{ publicKey: string; privateKey: string; fingerprint: string }> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: modulusBits })
  const certificate = await certificateOf(userId, pair, now)
  const publicKey = pem(certificate)
  return { publicKey, privateKey: keyFile(certificate, pair.privateKey).toString('base64'), fingerprint: fingerprintOf('x509', publicKey) }
}
