import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { statesOf, statusOf } from './states.ts'

const facts = new URL('../../../../shared/openstack-api/compute-states.tsv', import.meta.url)

describe.skipIf(!existsSync(facts))('the public status', () => {
  const rows = existsSync(facts)
    ? readFileSync(facts, 'utf8')
        .split('\n')
        .slice(1)
        .filter((line) => line !== '')
        .map((line) => line.split('\t'))
    : []
  it('is what the table of states says, for every pair', () => {
    const wrong = rows.flatMap(([vmState = '', task = '', , status = '']) => {
      const got = statusOf({ vmState, taskState: task === '(none)' ? null : task, deleted: vmState === 'deleted' })
      return got === status ? [] : [`${vmState} + ${task}: ${got} instead of ${status}`]
    })
    expect(rows.length).toBeGreaterThan(500)
    expect(wrong).toEqual([])
  })
})

describe('states of a status', () => {
  it('invert the status', () => {
    expect(statesOf('shutoff')[0]?.vmState).toBe('stopped')
    expect(statesOf('HARD_REBOOT').map((state) => state.vmState)).toContain('active')
    expect(statesOf('nonsense')).toEqual([])
  })
})
