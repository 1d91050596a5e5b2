import { describe, expect, it } from 'vitest'
import type { PortPlan } from './driver.ts'
import { InvalidPlan } from './errors.ts'
import { checkPort } from './validate.ts'

const portWith = (remoteIps: readonly string[]): PortPlan => ({
  id: '11111111-2222-4333-8444-555555555555',
  mac: 'fa:16:3e:00:00:01',
  fixedIps: [],
  hostname: '',
  tap: 'tap11111111-22',
  mark: 1,
  adminStateUp: true,
  portSecurity: true,
  allowedAddressPairs: [],
  rules: [{ direction: 'ingress', ethertype: 'IPv4', protocol: null, portMin: null, portMax: null, remoteCidr: null, remoteIps }],
})

describe('the addresses of a remote group', () => {
  it('are refused again and again while one is wrong', () => {
    const list = Object.freeze(['10.0.0.1', '10.0.0.2\naccept'])
    for (let i = 0; i < 2; i++) expect(() => checkPort(portWith(list))).toThrow(InvalidPlan)
  })

  it('are looked at again when their list may have changed since it passed', () => {
    const list = ['10.0.0.1']
    checkPort(portWith(list))
    list.push('everywhere')
    expect(() => checkPort(portWith(list))).toThrow(InvalidPlan)
  })

  it('are looked at once in a list that cannot change', () => {
    let looks = 0
    const counted = new Proxy(['10.0.0.1', '2001:db8::/64'], {
      get: (list, name) => {
        if (name === '0') looks++
        return Reflect.get(list, name)
      },
    })
    Object.freeze(counted)
    for (let i = 0; i < 3; i++) checkPort(portWith(counted))
    expect(looks).toBe(1)
  })
})
