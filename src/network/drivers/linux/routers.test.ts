import { describe, expect, it } from 'vitest'
import { routerRules } from './routers.ts'

const id = '00000000-0000-4000-8000-000000000001'

describe('a router’s table', () => {
  const gateway = { externalNetworkId: id, ip: '172.24.4.9', cidr: '172.24.4.0/24', nexthop: '172.24.4.1', snat: true }
  const router = { id, interfaces: [], gateway, floatingIps: [{ floating: '172.24.4.30', fixed: '10.0.0.5' }], routes: [] }

  it('hides guests behind the gateway only where that is wanted', () => {
    expect(routerRules('mc_a', router)).toContain('oifname "qg0" snat to 172.24.4.9')
    const open = routerRules('mc_a', { ...router, gateway: { ...gateway, snat: false } })
    expect(open).not.toContain('snat to 172.24.4.9')
    expect(open).toContain('172.24.4.30 : 10.0.0.5')
    expect(routerRules('mc_a', { ...router, gateway: null })).not.toContain('172.24.4.30')
  })
})
