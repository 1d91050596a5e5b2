/**
 * Tokens on the wire: a compact JWS, ES256, with the claims of Keystone's JWS provider and no more. Times are seconds since
 * the epoch with millisecond fractions, so that a token of the same second as a revocation is told from an earlier one.
 *
 * Signed by node:crypto, which takes a quarter of the time of WebCrypto; any JOSE library reads the result.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7515 and https://www.rfc-editor.org/rfc/rfc7518#section-3.4
 */
import { sign, verify } from 'node:crypto'
import type { KeyRing, TokenKey } from './keys.ts'

export type Claims = {
  /** The user's id. */
  readonly sub: string
  readonly iat: number
  readonly exp: number
  readonly openstack_methods: readonly string[]
  /** This token's own id, then that of the first in its chain. */
  readonly openstack_audit_ids: readonly string[]
  readonly openstack_project_id?: string
  readonly openstack_domain_id?: string
  readonly openstack_system?: 'all'
  readonly openstack_app_cred_id?: string
}

const headers = new WeakMap<TokenKey, string>()
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const longest = 4096

function headerOf(key: TokenKey): string {
  let header = headers.get(key)
  if (header === undefined) {
    header = encode({ typ: 'JWT', alg: 'ES256', kid: key.kid })
    headers.set(key, header)
  }
  return header
}

export function signClaims(claims: Claims, keys: KeyRing): string {
  const key = keys.signing()
  const message = `${headerOf(key)}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(message), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${message}.${signature.toString('base64url')}`
}

/** The claims of a token that one of our keys signed, whatever its age; `null` for anything else. */
export function readClaims(token: string, keys: KeyRing): Claims | null {
  if (token.length > longest) return null
  const [header, payload, signature, ...more] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return null
  const kid = parse<{ kid?: unknown }>(header)?.kid
  const key = typeof kid === 'string' ? keys.find(kid) : undefined
  // Exactly our own header: no other algorithm is ever considered.
  if (!key || header !== headerOf(key)) return null
  const bytes = Buffer.from(signature, 'base64url')
  // One text for one signature: a cache or a log must not meet the same token in two spellings.
  if (bytes.length !== 64 || bytes.toString('base64url') !== signature) return null
  const good = verify('sha256', Buffer.from(`${header}.${payload}`), { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, bytes)
  return good ? parse<Claims>(payload) : null
}

function parse<T>(part: string): T | null {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as T
  } catch {
    return null
  }
}
