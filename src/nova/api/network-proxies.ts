/**
 * Networks and tenant networks, as clients of versions up to 2.35 ask Compute for them: little more than id and name, since
 * the rest is for the network service to say.
 *
 * @see https://docs.openstack.org/api-ref/compute/#networks-os-networks-deprecated
 */
import { notFound } from '../../base/errors.ts'
import { type Incoming, operation } from '../../base/http/index.ts'
import type { NetworkInfo } from '../../network/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'

const until = '2.35'

/** Known to a network of Compute's own, which there is none of: always null here. */
const never = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6']
const neverForAdmins = [
  'created_at',
  'updated_at',
  'deleted_at',
  'deleted',
  'injected',
  'bridge',
  'vlan',
  'vpn_public_address',
  'vpn_public_port',
  'vpn_private_address',
  'dhcp_start',
  'project_id',
  'host',
  'bridge_interface',
  'multi_host',
  'priority',
  'rxtx_base',
  'mtu',
  'dhcp_server',
  'enable_dhcp',
  'share_address',
]

const nulls = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, null]))
const networkView = ({ id, name }: NetworkInfo, isAdmin: boolean) => ({
  ...nulls(never),
  ...(isAdmin ? nulls(neverForAdmins) : {}),
  id,
  label: name,
})
/** The word is Python's for nothing, as text. */
const tenantNetworkView = ({ id, name }: NetworkInfo) => ({ id, cidr: 'None', label: name })

/** @throws {CloudError} `not-found`. */
function networkOf({ params, context }: Incoming, { networks }: NovaApi): NetworkInfo {
  const found = networks.proxies.network(params.network_id ?? '', viewerOf(context))
  if (!found) throw notFound('Network not found')
  return found
}

const pair = (path: string, policy: string, view: (network: NetworkInfo, isAdmin: boolean) => unknown) => [
  operation({
    method: 'GET',
    path,
    until,
    status: 200,
    errors: [403],
    policy: `${policy}:list`,
    handle: ({ context }: Incoming, { networks }: NovaApi) => {
      const viewer = viewerOf(context)
      return { networks: networks.proxies.networks(viewer).map((network) => view(network, viewer.isAdmin)) }
    },
  }),
  operation({
    method: 'GET',
    path: `${path}/{network_id}`,
    until,
    status: 200,
    errors: [403, 404],
    policy: `${policy}:show`,
    handle: (request: Incoming, nova: NovaApi) => ({ network: view(networkOf(request, nova), viewerOf(request.context).isAdmin) }),
  }),
]

export const networkProxyOperations = [
  ...pair('/os-networks', 'os_compute_api:os-networks', networkView),
  ...pair('/os-tenant-networks', 'os_compute_api:os-tenant-networks', tenantNetworkView),
]
