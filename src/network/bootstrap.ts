/** What a newcomer finds: a way out, a private network that every project may use, and a router between them. Made once; what is deleted stays deleted. */

import { parseCidr } from './addresses.ts'
import { createNetwork } from './networks.ts'
import { addSubnetInterface, createRouter } from './routers.ts'
import { ensureDefaultGroup } from './security-groups.ts'
import type { Store } from './store.ts'
import { createSubnet } from './subnets.ts'

export type Seed = { adminProjectId: string; demoProjectId: string }

export function bootstrap(store: Store, { adminProjectId, demoProjectId }: Seed, cidrs: { publicCidr: string; privateCidr: string }): void {
  store.db.transaction(() => {
    for (const projectId of [adminProjectId, demoProjectId]) ensureDefaultGroup(store, projectId)
    const seeded = store.db.prepare('SELECT 1 FROM network_seeds WHERE name = ?').get('public')
    if (seeded) return
    const plain = {
      description: '',
      admin_state_up: true,
      mtu: null,
      is_default: false,
      port_security_enabled: true,
      physical_network: null,
      network_type: null,
      segmentation_id: null,
    }
    const subnet = (networkId: string, name: string, cidr: string, dhcp: boolean) =>
      createSubnet(store, {
        project_id: adminProjectId,
        network_id: networkId,
        name,
        description: '',
        cidr,
        ip_version: parseCidr(cidr)?.version ?? 4,
        enable_dhcp: dhcp,
        dns_nameservers: [],
        host_routes: [],
        ipv6_ra_mode: null,
        ipv6_address_mode: null,
      })
    const outside = createNetwork(store, {
      ...plain,
      project_id: adminProjectId,
      name: 'public',
      shared: false,
      external: true,
      is_default: true,
    })
    subnet(outside.id, 'public-subnet', cidrs.publicCidr, false)
    const inside = createNetwork(store, { ...plain, project_id: adminProjectId, name: 'private', shared: true, external: false })
    const insideSubnet = subnet(inside.id, 'private-subnet', cidrs.privateCidr, true)
    const router = createRouter(store, {
      project_id: adminProjectId,
      name: 'router1',
      description: '',
      admin_state_up: true,
      gateway: { network_id: outside.id },
    })
    addSubnetInterface(store, router.id, insideSubnet.id)
    const note = store.db.prepare('INSERT INTO network_seeds (name, resource_id) VALUES (?, ?)')
    note.run('public', outside.id)
    note.run('private', inside.id)
    note.run('router1', router.id)
  })
}
