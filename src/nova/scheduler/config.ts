/**
 * Options of the scheduler: which filters and weighers have a say, and how much.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/config.html#filter-scheduler
 */
import { bool, float, int, list, many, type Option, section, text } from '../../base/config/index.ts'
import { allFilters, availableFilterNames, defaultFilters, filterName } from './filters.ts'
import { allWeighers, metricRatio, propertyWeight, weigherName } from './weighers.ts'

/** Its items are checked when the file is read, so that a slip of the pen ends the start with the option's name. */
const checked = (option: Option<string[]>, check: (item: string) => unknown): Option<string[]> => ({
  ...option,
  parse: (value) => {
    const items = option.parse(value)
    for (const item of items) check(item)
    return items
  },
})

export const schedulerConfig = section('scheduler', {
  maxAttempts: int({ default: 3, min: 1, doc: 'Hosts tried before a build fails.' }),
  maxPlacementResults: int({ default: 1000, min: 1, doc: 'Hosts that placement proposes at most.' }),
  limitTenantsToPlacementAggregate: bool({
    default: false,
    doc: 'A project named by the filter_tenant_id of aggregates gets their hosts alone.',
  }),
  placementAggregateRequiredForTenants: bool({
    default: false,
    doc: 'With that, a project that no aggregate names gets no host; otherwise it gets any.',
  }),
  queryPlacementForImageTypeSupport: bool({ default: false, doc: "Only hosts whose traits have the image's disk format." }),
  enableIsolatedAggregateFiltering: bool({
    default: false,
    doc: 'Hosts of an aggregate with trait:NAME=required are for flavors and images that require these traits.',
  }),
  imageMetadataPrefilter: bool({
    default: false,
    doc: 'Only hosts whose traits have the buses, models and architecture that an image names.',
  }),
})

export const filterSchedulerConfig = section('filter_scheduler', {
  availableFilters: checked(
    many({
      default: [allFilters],
      doc: `Filters that may be enabled: ${allFilters}, or classes such as nova.scheduler.filters.compute_filter.ComputeFilter.`,
    }),
    availableFilterNames,
  ),
  enabledFilters: checked(
    list({
      default: [...defaultFilters],
      doc: 'Filters that turn hosts away, in this order. Zones, named hosts and what no host here can give are always looked at.',
    }),
    filterName,
  ),
  weightClasses: checked(
    list({
      default: [allWeighers],
      doc: `Weighers that order the hosts: ${allWeighers}, or classes such as nova.scheduler.weights.ram.RAMWeigher.`,
    }),
    weigherName,
  ),
  hostSubsetSize: int({ default: 1, min: 1, doc: 'One of so many best hosts is taken by chance.' }),
  shuffleBestSameWeighedHosts: bool({ default: false, doc: 'Of hosts that are equally good, one is taken by chance.' }),
  ramWeightMultiplier: float({ default: 1, doc: 'How much free memory counts; negative stacks servers on few hosts.' }),
  cpuWeightMultiplier: float({ default: 1, doc: 'How much free virtual CPUs count.' }),
  diskWeightMultiplier: float({ default: 1, doc: 'How much free disk counts.' }),
  ioOpsWeightMultiplier: float({ default: -1, doc: 'How much the servers that a host is building count.' }),
  softAffinityWeightMultiplier: float({ default: 1, min: 0, doc: 'How much members of the same soft-affine group count.' }),
  softAntiAffinityWeightMultiplier: float({ default: 1, min: 0, doc: 'How much members of the same soft-anti-affine group count.' }),
  buildFailureWeightMultiplier: float({ default: 1_000_000, doc: 'How much builds that failed since the last good one count.' }),
  hypervisorVersionWeightMultiplier: float({ default: 1, doc: 'How much a newer hypervisor counts.' }),
  numInstancesWeightMultiplier: float({ default: 0, doc: 'How much the servers of a host count; negative spreads them.' }),
  imagePropsWeightMultiplier: float({ default: 0, doc: "How much a host's servers from images with the same properties count." }),
  imagePropsWeightSetting: checked(
    list({ default: [], doc: 'The properties that count for that, property=weight; none: all, alike.' }),
    propertyWeight,
  ),
  maxInstancesPerHost: int({ default: 50, min: 1, doc: 'Servers a host may have, for NumInstancesFilter.' }),
  maxIoOpsPerHost: int({ default: 8, min: 1, doc: 'Servers a host may be building, for IoOpsFilter.' }),
  isolatedHosts: list({ default: [], doc: 'Hosts for the isolated images, for IsolatedHostsFilter.' }),
  isolatedImages: list({ default: [], doc: 'Ids of images that run on the isolated hosts alone.' }),
  restrictIsolatedHostsToIsolatedImages: bool({ default: true, doc: 'Isolated hosts take no other images.' }),
  imagePropertiesDefaultArchitecture: text({ default: '', doc: 'The architecture of images that name none, for ImagePropertiesFilter.' }),
  aggregateImagePropertiesIsolationNamespace: text({ default: '', doc: 'Aggregate metadata that isolates images starts so; empty: all.' }),
  aggregateImagePropertiesIsolationSeparator: text({ default: '.', doc: 'What follows that namespace.' }),
})

export const metricsConfig = section('metrics', {
  weightMultiplier: float({ default: 1, doc: 'How much the metrics of weight_setting count.' }),
  weightSetting: checked(list({ default: [], doc: 'Metrics of hosts that count, metric=ratio, such as cpu.percent=-1.0.' }), metricRatio),
  required: bool({ default: true, doc: 'A host that does not report one of them is turned away.' }),
  weightOfUnavailable: float({ default: -10_000, doc: 'What such a host weighs when it is not.' }),
})
