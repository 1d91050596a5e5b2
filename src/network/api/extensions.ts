/** `/extensions`: what clients switch their features on by. Only what is really here is listed. @see https://docs.openstack.org/api-ref/network/v2/#extensions */
import { operation } from '../../base/http/index.ts'
import { extensionNotFound } from '../errors.ts'
import type { ApiDeps } from './service.ts'

type Extension = { alias: string; name: string; updated: string; description: string }

const extension = (alias: string, name: string, updated: string, description = ''): Extension => ({ alias, name, updated, description })

export const extensions: readonly Extension[] = [
  extension('agent', 'agent', '2013-02-03T10:00:00-00:00', 'The agent management extension.'),
  extension('allowed-address-pairs', 'Allowed Address Pairs', '2013-07-23T10:00:00-00:00', 'Provides allowed address pairs'),
  extension('availability_zone', 'Availability Zone', '2015-01-01T10:00:00-00:00', 'The availability zone extension.'),
  extension('binding', 'Port Binding', '2014-02-03T10:00:00-00:00', 'Expose port bindings of a virtual port to external application'),
  extension(
    'ext-gw-mode',
    'Neutron L3 Configurable external gateway mode',
    '2013-03-28T10:00:00-00:00',
    'Whether SNAT should occur on a gateway',
  ),
  extension(
    'external-net',
    'Neutron external network',
    '2013-01-14T10:00:00-00:00',
    'Adds external network attribute to network resource.',
  ),
  extension('extra_dhcp_opt', 'Neutron Extra DHCP options', '2013-03-17T12:00:00-00:00', 'Extra options configuration for DHCP'),
  extension('extraroute', 'Neutron Extra Route', '2013-02-01T10:00:00-00:00', 'Extra routes configuration for L3 router'),
  extension('ip-substring-filtering', 'IP address substring filtering', '2017-11-28T09:00:00-00:00', 'Filter ports by part of an address'),
  extension('net-mtu', 'Network MTU', '2015-03-25T10:00:00-00:00', 'Provides MTU attribute for a network resource.'),
  extension(
    'net-mtu-writable',
    'Network MTU (writable)',
    '2017-07-12T00:00:00-00:00',
    'Provides a writable MTU attribute for a network resource.',
  ),
  extension(
    'network-ip-availability',
    'Network IP Availability',
    '2015-09-24T00:00:00-00:00',
    'Provides IP availability data for each network and subnet.',
  ),
  extension('pagination', 'Pagination support', '2016-06-12T00:00:00-00:00', 'Extension that indicates that pagination is enabled.'),
  extension('port-security', 'Port Security', '2012-07-23T10:00:00-00:00', 'Provides port security'),
  extension(
    'port-security-groups-filtering',
    'Port filtering on security groups',
    '2018-01-09T09:00:00-00:00',
    'Provides security groups filtering when listing ports',
  ),
  extension(
    'project-id',
    'project_id field enabled',
    '2016-09-09T09:09:09-09:09',
    'Extension that indicates that project_id field is enabled.',
  ),
  extension('provider', 'Provider Network', '2012-09-07T10:00:00-00:00', 'Expose mapping of virtual networks to physical networks'),
  extension(
    'quota_details',
    'Quota details management support',
    '2017-02-10T10:00:00-00:00',
    'Expose functions for quotas usage statistics per project',
  ),
  extension('quotas', 'Quota management support', '2012-07-29T10:00:00-00:00', 'Expose functions for quotas management per project'),
  extension(
    'router',
    'Neutron L3 Router',
    '2012-07-20T10:00:00-00:00',
    'Router abstraction for basic L3 forwarding between L2 Neutron networks.',
  ),
  extension('security-group', 'security-group', '2012-10-05T10:00:00-00:00', 'The security groups extension.'),
  extension(
    'security-groups-normalized-cidr',
    'Normalized CIDR field for security group rules',
    '2020-07-28T10:00:00-00:00',
    'Add new field with normalized remote_ip_prefix cidr in SG rule',
  ),
  extension(
    'security-groups-rules-belongs-to-default-sg',
    "Security group rule belongs to the project's default security group",
    '2023-05-23T10:00:00-00:00',
  ),
  extension('sorting', 'Sorting support', '2016-06-12T00:00:00-00:00', 'Extension that indicates that sorting is enabled.'),
  extension(
    'standard-attr-description',
    'standard-attr-description',
    '2016-02-10T10:00:00-00:00',
    'Extension to add descriptions to standard attributes',
  ),
  extension(
    'standard-attr-revisions',
    'Resource revision numbers',
    '2016-04-11T10:00:00-00:00',
    'This extension will display the revision number of neutron resources.',
  ),
  extension(
    'standard-attr-tag',
    'Tag support for resources with standard attribute',
    '2017-01-01T00:00:00-00:00',
    'Enables to set tag on resources.',
  ),
  extension(
    'standard-attr-timestamp',
    'Resource timestamps',
    '2016-09-12T10:00:00-00:00',
    'Adds created_at and updated_at fields to all Neutron resources.',
  ),
  extension(
    'stateful-security-group',
    'Stateful security group',
    '2019-11-26T09:00:00-00:00',
    'Indicates if the security group is stateful or not',
  ),
  extension(
    'subnet-external-network',
    'Subnet belongs to an external network',
    '2024-02-05T18:00:00-00:00',
    'Informs if the subnet belongs to an external network',
  ),
]

const shown = (one: Extension) => ({ ...one, links: [] })

export const extensionOperations = [
  operation<ApiDeps>({
    method: 'GET',
    path: '/extensions',
    status: 200,
    errors: [403],
    policy: 'get_extension',
    handle: () => ({ extensions: extensions.map(shown) }),
  }),
  operation<ApiDeps>({
    method: 'GET',
    path: '/extensions/{alias}',
    status: 200,
    errors: [403, 404],
    policy: 'get_extension',
    handle: ({ params }) => {
      const found = extensions.find(({ alias }) => alias === params.alias)
      if (!found) throw extensionNotFound(params.alias ?? '')
      return { extension: shown(found) }
    },
  }),
]
