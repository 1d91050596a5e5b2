import { describe, expect, it } from 'vitest'
import { Passwords } from './passwords.ts'

const passwords = new Passwords({ rounds: 8, maxBytes: 16 })

describe('passwords', () => {
  it('are kept as salted PHC strings that only they themselves match', async () => {
    const [one, two] = await Promise.all([passwords.hash('sécret'), passwords.hash('sécret')])
    expect(one).toMatch(/^\$scrypt\$ln=8,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(one).not.toBe(two)
    expect(await passwords.verify('sécret', one)).toBe(true)
    expect(await passwords.verify('secret', one)).toBe(false)
  })
  it('of another cost still match', async () => {
    const stored = await new Passwords({ rounds: 9, maxBytes: 16 }).hash('x')
    expect(await passwords.verify('x', stored)).toBe(true)
  })
  it('of nobody never match, and what is stored otherwise is nobody', async () => {
    expect(await passwords.verify('x', null)).toBe(false)
    expect(await passwords.verify('x', 'x')).toBe(false)
  })
  it('begun ahead are hashed once', async () => {
    passwords.hashAhead('x')
    const places = 258
    const hashes = await Promise.all(Array.from({ length: places }, () => passwords.hash('x')))
    expect(new Set(hashes).size).toBe(places)
    passwords.hashAhead('')
    await expect(passwords.hash('')).rejects.toMatchObject({ kind: 'invalid' })
  })
  it('are capped in bytes, not letters', async () => {
    await expect(passwords.hash('ü'.repeat(9))).rejects.toMatchObject({ kind: 'invalid' })
    await expect(passwords.verify('', null)).rejects.toMatchObject({ kind: 'invalid' })
    expect(await passwords.hash('ü'.repeat(8))).toContain('$scrypt$')
  })
  it('wait in a bounded line', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => passwords.hash('x')))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(300 - 258)
    expect(await passwords.hash('x')).toContain('$scrypt$')
  })
  it('that were right are remembered, and need no place in it', async () => {
    const stored = await new Passwords({ rounds: 8, maxBytes: 16 }).hash('x')
    expect(await passwords.verify('x', stored)).toBe(true)
    const verifyOften = (password: string, as: string | null) =>
      Promise.allSettled(Array.from({ length: 300 }, () => passwords.verify(password, as)))
    expect((await verifyOften('x', stored)).every((one) => one.status === 'fulfilled' && one.value)).toBe(true)
    expect((await verifyOften('y', stored)).some(({ status }) => status === 'rejected')).toBe(true)
    expect((await verifyOften('x', null)).some(({ status }) => status === 'rejected')).toBe(true)
  })
  it('that were right are so no more when others are stored', async () => {
    const stored = await passwords.hash('x')
    expect(await passwords.verify('x', stored)).toBe(true)
    expect(await passwords.verify('x', await passwords.hash('y'))).toBe(false)
    expect(await passwords.verify('x', null)).toBe(false)
  })
})
