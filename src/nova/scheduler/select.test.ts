import { describe, expect, it } from 'vitest'
import { testCompute } from '../../../test/support/compute.ts'

describe('hosts', () => {
  it('whose builds fail come last until one succeeds', async () => {
    await using compute = await testCompute({ hosts: 2 })
    const { scheduler } = compute.deps
    const first = (await compute.build()).host ?? ''
    // The other one is emptier now, and would be next.
    const [other = ''] = compute.drivers.map(({ host }) => host).filter((host) => host !== first)
    scheduler.noteBuild(other, false)
    expect((await compute.build()).host).toBe(first)
    scheduler.noteBuild(other, true)
    expect((await compute.build()).host).toBe(other)
  })

  it('are turned away by filters that the operator enables, each with its reason', async () => {
    const flags = { 'filter_scheduler.enabled_filters': 'ComputeFilter,JsonFilter' }
    await using compute = await testCompute({ hosts: 2, flags })
    const ask = async (query: string) => {
      const { spec } = compute.wish().server
      return await compute.build({ spec: { ...spec, schedulerHints: { query } } })
    }
    const [, second] = compute.drivers
    expect((await ask(`["=", "$host", "${second?.host}"]`)).host).toBe(second?.host)
    const failed = await ask('["=", "$host", "moon"]')
    expect([failed.vmState, failed.fault?.message]).toEqual(['error', expect.stringContaining('The query hint matches no host.')])
  })
})
