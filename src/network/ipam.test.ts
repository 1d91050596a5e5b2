import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Database } from '../base/db/index.ts'
import { canonicalIp, eui64, ipNumber, ipText, keyNumber, keyOf, parseCidr, usable } from './addresses.ts'
import { release, setPools, takeKey, takeLowest } from './ipam.ts'

let db: Database
beforeEach(() => {
  db = new Database({ file: ':memory:', synchronous: 'OFF' })
  db.sqlite.pragma('foreign_keys = OFF')
})
afterEach(() => db[Symbol.dispose]())

const key = (n: number) => keyOf(BigInt(n), 4)
const subnet = 's1'
const allocate = (at: string) =>
  db
    .prepare('INSERT INTO ipallocations (port_id, subnet_id, network_id, ip_address, ip_key) VALUES (?, ?, ?, ?, ?)')
    .run('p', subnet, 'n', at, at)
const forget = (at: string) => db.prepare('DELETE FROM ipallocations WHERE subnet_id = ? AND ip_key = ?').run(subnet, at)
const countFree = () =>
  db
    .prepare<{ first_key: string; last_key: string }>('SELECT first_key, last_key FROM ipavailabilityranges WHERE subnet_id = ?')
    .all(subnet)
    .reduce((sum, range) => sum + keyNumber(range.last_key) - keyNumber(range.first_key) + 1n, 0n)

describe('the free addresses of a subnet', () => {
  it('are, after whatever was taken and given back, the pools without what is taken', () => {
    const pools = [
      { first_key: key(10), last_key: key(19) },
      { first_key: key(30), last_key: key(34) },
    ]
    const inPools = (n: number) => (n >= 10 && n <= 19) || (n >= 30 && n <= 34)
    const step = fc.oneof(
      fc.constant({ do: 'lowest' as const, n: 0 }),
      fc.record({ do: fc.constant('take' as const), n: fc.integer({ min: 5, max: 40 }) }),
      fc.record({ do: fc.constant('release' as const), n: fc.integer({ min: 5, max: 40 }) }),
      fc.constant({ do: 'pools' as const, n: 0 }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        db.prepare('DELETE FROM ipallocations').run()
        setPools(db, subnet, pools)
        const taken = new Set<number>()
        const free = () => Array.from({ length: 50 }, (_, n) => n).filter((n) => inPools(n) && !taken.has(n))
        for (const one of steps) {
          if (one.do === 'lowest') {
            const found = takeLowest(db, subnet)
            expect(found).toBe(free()[0] === undefined ? null : key(free()[0] as number))
            if (found === null) continue
            taken.add(Number(keyNumber(found)))
            allocate(found)
          } else if (one.do === 'take' && !taken.has(one.n)) {
            takeKey(db, subnet, key(one.n))
            taken.add(one.n)
            allocate(key(one.n))
          } else if (one.do === 'release') {
            taken.delete(one.n)
            forget(key(one.n))
            release(db, subnet, key(one.n))
          } else if (one.do === 'pools') setPools(db, subnet, pools)
          expect(Number(countFree())).toBe(free().length)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('of an IPv6 /64 are taken without being counted out', () => {
    const cidr = parseCidr('fd00::/64')
    if (!cidr) throw new Error('no CIDR')
    setPools(db, subnet, [{ first_key: keyOf(cidr.first + 1n, 6), last_key: keyOf(cidr.last, 6) }])
    expect(ipText(keyNumber(takeLowest(db, subnet) ?? ''), 6)).toBe('fd00::1')
    takeKey(db, subnet, keyOf(cidr.last, 6))
    expect(countFree()).toBe(2n ** 64n - 3n)
  })
})

describe('addresses', () => {
  it('are the same as text, number and key', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        expect(ipText(ipNumber(ip), 4)).toBe(ip)
      }),
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (number) => {
        expect(ipNumber(ipText(number, 6))).toBe(number)
        expect(keyNumber(keyOf(number, 6))).toBe(number)
      }),
    )
    expect(canonicalIp('FD00:0::1')).toBe('fd00::1')
  })
  it.each([
    ['10.0.0.0'],
    ['10.0.0.0/33'],
    ['fd00::/129'],
    ['/8'],
    ['10.0.0/8'],
    ['10.0.0.0/8/8'],
    ['fe80::1%eth0/64'],
    ['010.0.0.0/8'],
    [''],
  ])('%s is no CIDR', (text) => {
    expect(parseCidr(text)).toBeNull()
  })
  it('leave out network and broadcast, where there are such', () => {
    const span = (text: string) => {
      const cidr = parseCidr(text)
      if (!cidr) throw new Error(text)
      const { first, last } = usable(cidr)
      return [ipText(first, cidr.version), ipText(last, cidr.version)]
    }
    expect(span('10.0.0.0/30')).toEqual(['10.0.0.1', '10.0.0.2'])
    expect(span('10.0.0.0/31')).toEqual(['10.0.0.0', '10.0.0.1'])
    expect(span('fd00::/126')).toEqual(['fd00::1', 'fd00::3'])
  })
  it('follow from the MAC as RFC 4291 has it', () => {
    const cidr = parseCidr('2001:db8::/64')
    expect(cidr && eui64(cidr, 'fa:16:3e:aa:bb:cc')).toBe('2001:db8::f816:3eff:feaa:bbcc')
  })
})
