import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derivedMac, innerLeg, makeNames } from './names.ts'

const prefix = fc.stringMatching(/^[a-z0-9]{1,5}$/)

describe('names on the host', () => {
  it('fit into the 15 characters of a device, and are known again by their own cloud only', () => {
    fc.assert(
      fc.property(prefix, prefix, fc.uuid(), fc.uuid(), (one, other, network, router) => {
        fc.pre(one !== other)
        const names = makeNames(one)
        const foreign = makeNames(other)
        for (const bridge of [names.bridge(network), names.external(network)]) {
          expect(bridge.length).toBeLessThanOrEqual(15)
          expect([names.isBridge(bridge), foreign.isBridge(bridge), names.isLeg(bridge)]).toEqual([true, false, false])
        }
        for (const leg of [names.dhcpLeg(network), names.routerLeg(router, network), names.gatewayLeg(router)]) {
          expect(leg.length).toBeLessThanOrEqual(15)
          expect([names.isLeg(leg), foreign.isLeg(leg), names.isBridge(leg)]).toEqual([true, false, false])
        }
        for (const space of [names.networkSpace(network), names.routerSpace(router)])
          expect([names.isSpace(space), foreign.isSpace(space)]).toEqual([true, false])
        expect(innerLeg(network).length).toBeLessThanOrEqual(15)
      }),
    )
  })

  it('refuse a prefix that would break them', () => {
    for (const bad of ['', 'toolong', 'a-b', 'A', 'a*', 'é']) expect(() => makeNames(bad)).toThrow(RangeError)
  })

  it('derive unicast MACs', () => {
    expect(derivedMac('router network')).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/)
    expect(derivedMac('router network')).not.toBe(derivedMac('router other'))
  })
})
