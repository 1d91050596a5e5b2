/** Options of the network service. @see https://docs.openstack.org/neutron/latest/configuration/neutron.html */
import { int, section, text } from '../base/config/index.ts'

export const networkConfig = section('network', {
  globalPhysnetMtu: int({ default: 1500, min: 576, max: 65_535, doc: 'MTU of new networks, in bytes.' }),
  dnsDomain: text({ default: 'minicloud.internal', doc: "Domain in which the networks' name servers know the guests." }),
  publicCidr: text({ default: '172.24.4.0/24', doc: 'Subnet of the external network that the first start makes.' }),
  privateCidr: text({ default: '10.20.0.0/22', doc: 'Subnet of the private network that the first start makes.' }),
  reconcileIntervalMs: int({ default: 600_000, min: 1000, doc: 'How often the host is compared with the database, in milliseconds.' }),
  maxFixedIpsPerPort: int({
    default: 5,
    min: 1,
    max: 64,
    doc: 'Addresses that one port may have, besides those of its device owner network:*.',
  }),
})

const limit = (fallback: number, what: string) => int({ default: fallback, min: -1, doc: `${what} a project may have; -1 is unlimited.` })

/** Neutron's `[QUOTAS]`. */
export const networkQuotaConfig = section('quotas', {
  quotaNetwork: limit(100, 'Networks'),
  quotaSubnet: limit(100, 'Subnets'),
  quotaPort: limit(500, 'Ports'),
  quotaRouter: limit(10, 'Routers'),
  quotaFloatingip: limit(50, 'Floating addresses'),
  quotaSecurityGroup: limit(10, 'Security groups'),
  quotaSecurityGroupRule: limit(100, 'Security group rules'),
})
