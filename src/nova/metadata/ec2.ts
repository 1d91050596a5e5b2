/**
 * The tree of Amazon's first metadata services, version by version.
 *
 * @see https://docs.openstack.org/nova/latest/user/metadata.html#ec2-compatible-metadata
 */
import type { Guest } from './guests.ts'
import type { TreeMap } from './render.ts'

const ec2Id = (kind: 'i' | 'ami' | 'aki' | 'ari', id: number): string => `${kind}-${id.toString(16).padStart(8, '0')}`

/** `requestAddress` stands in for a guest that has no IPv4 address of its own. */
export function ec2Tree(guest: Guest, version: string, requestAddress: string | null): TreeMap {
  return {
    'meta-data': metaData(guest, version, requestAddress),
    ...(guest.userData === null ? {} : { 'user-data': guest.userData }),
  }
}

function metaData(guest: Guest, version: string, requestAddress: string | null): TreeMap {
  const { instance, hostname, keys, ec2 } = guest
  const fixed = instance.ports.flatMap(({ subnets }) => subnets.filter((subnet) => subnet.version === 4).flatMap(({ ips }) => ips))
  const groups = new Set(instance.ports.flatMap(({ securityGroups }) => securityGroups.map(({ name }) => name)))
  const from = (first: string, entries: TreeMap): TreeMap => (version < first ? {} : entries)
  return {
    'ami-id': ec2.image === null ? 'None' : ec2Id('ami', ec2.image),
    'ami-launch-index': instance.launchIndex,
    'ami-manifest-path': 'FIXME',
    'instance-id': ec2Id('i', ec2.instance),
    hostname,
    'local-ipv4': fixed[0]?.address ?? requestAddress ?? '',
    'reservation-id': instance.reservationId,
    'security-groups': [...groups],
    ...(keys[0] && { 'public-keys': { 0: { _name: `0=${keys[0].name}`, 'openssh-key': keys[0].publicKey } } }),
    ...from('2007-01-19', {
      'local-hostname': hostname,
      'public-hostname': hostname,
      'public-ipv4': fixed.flatMap(({ floating }) => floating)[0] ?? '',
    }),
    ...from('2007-08-29', { 'instance-type': instance.flavor.name }),
    ...from('2007-12-15', {
      'block-device-mapping': guest.blockDevices,
      ...(ec2.kernel !== null && { 'kernel-id': ec2Id('aki', ec2.kernel) }),
      ...(ec2.ramdisk !== null && { 'ramdisk-id': ec2Id('ari', ec2.ramdisk) }),
    }),
    ...from('2008-02-01', { placement: { 'availability-zone': instance.availabilityZone ?? '' } }),
    ...from('2008-09-01', { 'instance-action': 'none' }),
  }
}
