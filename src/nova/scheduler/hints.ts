/** What the user can do about it, by what turned the hosts away. */
import type { Rejection } from '../model/index.ts'

const hints: Record<string, string> = {
  Placement:
    'There is not enough free CPU, memory or disk for this flavor; choose a smaller flavor or delete servers that are no longer needed.',
  TraitFilter: 'No host has all the traits that the flavor or the image requires.',
  ResourceClass: 'No host has a resource that the flavor asks for.',
  ComputeFilter: 'No compute host is enabled and up.',
  AvailabilityZoneFilter: 'No host in the requested availability zone can take this server.',
  RequestedHostFilter: 'There is no other host that can be tried.',
  TenantAggregateFilter: 'No host is open to this project.',
  IsolatedAggregateFilter: 'The hosts that are left are for other flavors and images.',
  ImagePropertiesFilter: "No host can run this image's architecture or hypervisor type.",
  SameHostFilter: 'The same_host hint cannot be met.',
  DifferentHostFilter: 'The different_host hint cannot be met.',
  ComputeCapabilitiesFilter: 'No host has the capabilities that the flavor asks for.',
  ServerGroupAntiAffinityFilter: 'Every host has as many servers of the group as it may have.',
  ServerGroupAffinityFilter: 'The host of the other servers of the group cannot take this one.',
  NUMATopologyFilter: 'No host can give the NUMA topology, pinned processors or memory pages that are asked for.',
  PciPassthroughFilter: 'No host can give the PCI devices that are asked for.',
  GuestFeatureFilter: 'No host can give a guest what the flavor or the image asks for.',
  ResourceGroupFilter: 'No host has its resources in groups as the flavor wants them.',
  NumInstancesFilter: 'Every host has as many servers as it may have.',
  AggregateNumInstancesFilter: 'Every host has as many servers as it may have.',
  IoOpsFilter: 'Every host is busy building servers; try again later.',
  AggregateIoOpsFilter: 'Every host is busy building servers; try again later.',
  JsonFilter: 'The query hint matches no host.',
  SimpleCIDRAffinityFilter: 'No host is near the address of the build_near_host_ip hint.',
  AggregateInstanceExtraSpecsFilter: 'No host is in an aggregate that has what the flavor asks for.',
  AggregateImagePropertiesIsolation: 'No host is in an aggregate that takes this image.',
  AggregateMultiTenancyIsolation: 'No host is open to this project.',
  AggregateTypeAffinityFilter: 'No host is in an aggregate that takes this flavor.',
  IsolatedHostsFilter: 'No host takes this image.',
  MetricsFilter: 'No host reports the metrics that the operator wants to compare.',
}

const ofPlacement = ['Placement', 'ResourceClass', 'TraitFilter']

/** A sentence without names of hosts: about those that came furthest through the filters, whose `order` is given. */
export function hintFor(rejections: readonly Rejection[], order: readonly string[]): string {
  if (rejections.length === 0) return 'No compute host has reported itself yet.'
  const furthest = [...ofPlacement, ...order.toReversed()].find((name) => rejections.some(({ filter }) => filter === name))
  return hints[furthest ?? 'Placement'] ?? ''
}
