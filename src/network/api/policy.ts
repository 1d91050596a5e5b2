/**
 * Who may do what by default, under Neutron's rule names. A rule of one attribute (`create_network:shared`) is asked when the attribute is given; those of ports
 * that speak of the network's owner are asked with the network's project.
 */
import type { Policies } from '../../base/http/index.ts'

const member = 'project_member'
const reader = 'project_reader'

const owned = (name: string, plural: string): Policies => ({
  [`create_${name}`]: member,
  [`get_${name}`]: reader,
  [`get_${plural}`]: reader,
  [`update_${name}`]: member,
  [`delete_${name}`]: member,
})

const both = (resource: string, attributes: readonly string[], rule: string): Policies =>
  Object.fromEntries(attributes.flatMap((attribute) => ['create', 'update'].map((verb) => [`${verb}_${resource}:${attribute}`, rule])))

const provider = ['provider:network_type', 'provider:physical_network', 'provider:segmentation_id']

export const policies: Policies = {
  ...owned('network', 'networks'),
  get_network: 'service|project_reader',
  get_networks: 'service|project_reader',
  ...both('network', ['shared', 'router:external', 'is_default', ...provider], 'admin'),
  ...both('network', ['port_security_enabled'], member),
  'get_network:provider': 'admin',
  ...owned('subnet', 'subnets'),
  get_subnet: 'service|project_reader',
  get_subnets: 'service|project_reader',
  ...owned('port', 'ports'),
  create_port: 'service|project_member',
  get_port: 'service|project_reader',
  get_ports: 'service|project_reader',
  update_port: 'service|project_member',
  delete_port: 'service|project_member',
  ...both('port', ['binding:host_id'], 'service'),
  ...both('port', ['binding:profile'], 'service'),
  ...both('port', ['binding:vnic_type', 'device_id'], 'service|project_member'),
  ...both(
    'port',
    ['device_owner', 'mac_address', 'allowed_address_pairs', 'port_security_enabled', 'fixed_ips:ip_address'],
    'service|project_member',
  ),
  'update_port:mac_address': 'service|project_manager',
  'get_port:binding': 'service',
  ...owned('router', 'routers'),
  add_router_interface: member,
  remove_router_interface: member,
  ...both('router', ['external_gateway_info:enable_snat', 'external_gateway_info:external_fixed_ips'], 'admin'),
  ...owned('floatingip', 'floatingips'),
  'create_floatingip:floating_ip_address': 'project_manager',
  ...owned('security_group', 'security_groups'),
  ...owned('security_group_rule', 'security_group_rules'),
  get_quota: 'project_manager',
  update_quota: 'admin',
  delete_quota: 'admin',
  get_agent: 'admin',
  get_network_ip_availability: 'service',
  get_extension: 'any',
  get_availability_zone: 'any',
  get_empty: reader,
}
