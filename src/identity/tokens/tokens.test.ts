import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { testGround } from '../../../test/support/ground.ts'
import { type ManualClock, manualClock } from '../../base/clock.ts'
import { defaultCatalog, identitySections, makeIdentity } from '../index.ts'
import { type Claims, readClaims, signClaims } from './jws.ts'
import { KeyRing } from './keys.ts'

const hour = 3_600_000
let clock: ManualClock
let dir: string
const ring = () => new KeyRing({ dir, clock, rotateMs: 2 * hour, keepMs: hour })
const claims: Claims = { sub: 'u', iat: 1, exp: 2, openstack_methods: ['password'], openstack_audit_ids: ['a'] }

beforeEach(() => {
  clock = manualClock()
  dir = mkdtempSync(join(tmpdir(), 'minicloud-keys-'))
})

describe('keys', () => {
  it('lie in files that only their owner can read, and are found again', () => {
    const first = ring()
    const token = signClaims(claims, first)
    const [file] = readdirSync(dir)
    expect(statSync(join(dir, file!)).mode & 0o777).toBe(0o600)
    expect(ring().signing().kid).toBe(first.signing().kid)
    expect(readClaims(token, ring())).toEqual(claims)
  })
  it('are replaced when old, verify as long as their tokens can live, and then go', async () => {
    const keys = ring()
    const token = signClaims(claims, keys)
    const { kid } = keys.signing()
    await clock.advance('2 h')
    expect(keys.signing().kid).not.toBe(kid)
    expect(readClaims(token, keys)).toEqual(claims)
    await clock.advance('2 h')
    keys.signing()
    expect(readClaims(token, keys)).toBeNull()
    expect(readdirSync(dir)).toHaveLength(2)
  })
})

describe('the JWS', () => {
  it('is one that other JOSE libraries verify', async () => {
    const keys = ring()
    const { payload, protectedHeader } = await jwtVerify(signClaims(claims, keys), keys.signing().publicKey, {
      currentDate: new Date(1500),
    })
    expect(payload).toEqual(claims)
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'JWT' })
  })
  it('is refused with a foreign key, another header, a second spelling, or as junk', () => {
    const keys = ring()
    const token = signClaims(claims, keys)
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const foreign = sign('sha256', Buffer.from(`${header}.${payload}`), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    )
    const bare = Buffer.from('{"alg":"ES256"}').toString('base64url')
    const spelled = `${signature.slice(0, -1)}${signature.at(-1) === 'B' ? 'C' : 'B'}`
    for (const bad of [
      `${header}.${payload}.${foreign}`,
      `${bare}.${payload}.${signature}`,
      `${header}.${payload}.${spelled}`,
      `${header}.${payload}.`,
      `${token}.`,
      `${header}.${payload}`,
      'x'.repeat(5000),
      '..',
      '',
    ])
      expect(readClaims(bad, keys)).toBeNull()
  })
})

describe('a restart', () => {
  it('keeps tokens, and what was revoked stays revoked', async () => {
    const file = join(dir, 'cloud.sqlite')
    const seed = { password: 'a', demoPassword: 'd', region: 'RegionOne', catalog: defaultCatalog }
    const body = {
      auth: { identity: { methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password: 'a' } } } },
    }
    const start = () => {
      const ground = {
        ...testGround({ sections: identitySections, flags: { 'identity.password_hash_rounds': '8' }, clock, file }),
        dataDir: dir,
      }
      return { ground, identity: makeIdentity(ground) }
    }
    const before = start()
    await before.identity.bootstrap(seed)
    const { authenticator, tokens, revocations } = before.identity.v3.deps
    const request = { ...body.auth.identity }
    const kept = await authenticator.issue(request, null)
    const revoked = await authenticator.issue(request, null)
    revocations.revokeToken(revoked.claims.openstack_audit_ids[0]!)
    expect(tokens.validate(revoked.token)).toBeNull()
    before.ground[Symbol.dispose]()

    const after = start()
    expect(await after.identity.authenticate(kept.token)).toMatchObject({ userName: 'admin', isAdmin: false })
    expect(() => after.identity.authenticate(revoked.token)).toThrow('requires authentication')
    after.ground[Symbol.dispose]()
  })
})
