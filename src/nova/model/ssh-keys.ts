/**
 * Public keys of key pairs: SSH keys and X.509 certificates are read and fingerprinted, SSH keys are also made.
 *
 * An SSH public key is one line, `<type> <base64> <comment>`; the base64 holds length-prefixed fields, of which the first
 * repeats the type. Its fingerprint is the MD5 of those bytes, a certificate's the SHA-1 of its DER, both in hex with colons.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4253#section-6.6
 */
import { createHash, generateKeyPair, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { invalid } from '../../base/errors.ts'

export type KeyType = 'ssh' | 'x509'

const modulusBits = 2048
const comment = 'Generated-by-Nova'

/** How many fields follow the type, and what the fields must be; curves repeat their name, points begin with 4. */
const fieldsOf: Record<string, (fields: Buffer[]) => boolean> = {
  'ssh-rsa': ([e, n, ...rest]) => rest.length === 0 && !!e && e.length > 0 && !!n && n.length >= 128 && n.length <= 2049,
  'ssh-dss': (fields) => fields.length === 4 && fields.every(({ length }) => length > 0),
  'ssh-ed25519': ([key, ...rest]) => rest.length === 0 && key?.length === 32,
  'ecdsa-sha2-nistp256': isPoint('nistp256', 32),
  'ecdsa-sha2-nistp384': isPoint('nistp384', 48),
  'ecdsa-sha2-nistp521': isPoint('nistp521', 66),
  'sk-ssh-ed25519@openssh.com': ([key, application, ...rest]) => rest.length === 0 && key?.length === 32 && application !== undefined,
  'sk-ecdsa-sha2-nistp256@openssh.com': ([curve, point, application, ...rest]) =>
    rest.length === 0 && application !== undefined && isPoint('nistp256', 32)([curve, point] as Buffer[]),
}

function isPoint(curve: string, bytes: number): (fields: Buffer[]) => boolean {
  return ([name, point, ...rest]) => rest.length === 0 && name?.toString() === curve && point?.length === 1 + 2 * bytes && point[0] === 4
}

/** The length-prefixed fields; `null` when the bytes are not made of such. */
function fieldsIn(blob: Buffer): Buffer[] | null {
  const fields: Buffer[] = []
  let at = 0
  while (at < blob.length) {
    if (at + 4 > blob.length) return null
    const end = at + 4 + blob.readUInt32BE(at)
    if (end > blob.length) return null
    fields.push(blob.subarray(at + 4, end))
    at = end
  }
  return fields
}

const colons = (hex: string): string => hex.match(/../g)?.join(':') ?? ''
const noFingerprint = (cause?: unknown) => invalid('Keypair data is invalid: failed to generate fingerprint', { cause })

/** @throws {CloudError} `invalid` for what is no public key of its type. */
export function fingerprintOf(type: KeyType, publicKey: string): string {
  return type === 'ssh' ? sshFingerprint(publicKey) : x509Fingerprint(publicKey)
}

function sshFingerprint(publicKey: string): string {
  const match = /^([a-z0-9@.-]{3,64})[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t][^\u0000-\u001f\u007f]*)?\s*$/.exec(publicKey)
  const [, type = '', base64 = ''] = match ?? []
  const blob = Buffer.from(base64, 'base64')
  const [name, ...fields] = fieldsIn(blob) ?? []
  const holds = Object.hasOwn(fieldsOf, type) ? fieldsOf[type] : undefined
  if (!match || base64.length % 4 !== 0 || name?.toString() !== type || !holds?.(fields)) throw noFingerprint()
  return colons(createHash('md5').update(blob).digest('hex'))
}

function x509Fingerprint(certificate: string): string {
  try {
    return new X509Certificate(certificate).fingerprint.toLowerCase()
  } catch (error) {
    throw noFingerprint(error)
  }
}

const field = (bytes: Uint8Array): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A positive number: a leading zero byte keeps it from reading as negative. */
const positive = (base64url: string | undefined): Buffer => {
  const bytes = Buffer.from(base64url ?? '', 'base64url')
  return field((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes)
}

/** A new RSA pair, made off the main thread: the public half as OpenSSH writes it, the private one as PEM (PKCS #1). */
export async function generateSshKey(): Promise<{ publicKey: string; privateKey: string; fingerprint: string }> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: modulusBits })
  const { e, n } = pair.publicKey.export({ format: 'jwk' })
  const blob = Buffer.concat([field(Buffer.from('ssh-rsa')), positive(e), positive(n)])
  const publicKey = `ssh-rsa ${blob.toString('base64')} ${comment}`
  return {
    publicKey,
    privateKey: pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    fingerprint: sshFingerprint(publicKey),
  }
}
