import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasKnownPlaceholders, renderUrl } from './catalog.ts'

const values = { origin: 'https://cloud:1', projectId: 'p', userId: 'u' }

describe('URLs of endpoints', () => {
  it('get the origin and the ids of the token, in either spelling', () => {
    expect(renderUrl('$(origin)s/compute/v2.1', values)).toBe('https://cloud:1/compute/v2.1')
    expect(renderUrl('http://x/%(tenant_id)s/$(project_id)s?u=$(user_id)s', values)).toBe('http://x/p/p?u=u')
  })
  it('are left out where the token has no such id', () => {
    expect(renderUrl('http://x/$(project_id)s', { ...values, projectId: null })).toBeNull()
    expect(renderUrl('http://x/$(password)s', values)).toBeNull()
  })
  it('are rendered whenever their placeholders are known, and never hold one afterwards', () => {
    const part = fc.oneof(fc.constantFrom('$(origin)s', '%(project_id)s', '$(x)s', '$(project_id)', '%('), fc.string({ maxLength: 5 }))
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const url = parts.join('')
        if (hasKnownPlaceholders(url)) expect(renderUrl(url, values)).not.toMatch(/[$%]\((origin|project_id|user_id)\)s/)
      }),
    )
  })
})
