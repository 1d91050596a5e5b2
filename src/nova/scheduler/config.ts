import { float, int, list, section, text } from '../../base/config/index.ts'
import { defaultFilters } from './filters.ts'

export const schedulerConfig = section('scheduler', {
  maxAttempts: int({ default: 3, min: 1, doc: 'Hosts tried before a build fails.' }),
  maxPlacementResults: int({ default: 1000, min: 1, doc: 'Hosts that placement proposes at most.' }),
})

export const filterSchedulerConfig = section('filter_scheduler', {
  enabledFilters: list({ default: [...defaultFilters], doc: 'Filters that turn hosts away, in this order.' }),
  ramWeightMultiplier: float({ default: 1, doc: 'How much free memory counts; negative stacks servers on few hosts.' }),
  cpuWeightMultiplier: float({ default: 1, doc: 'How much free virtual CPUs count.' }),
  diskWeightMultiplier: float({ default: 1, doc: 'How much free disk counts.' }),
  ioOpsWeightMultiplier: float({ default: -1, doc: 'How much the servers that a host is building count.' }),
  softAffinityWeightMultiplier: float({ default: 1, min: 0, doc: 'How much members of the same soft-affine group count.' }),
  softAntiAffinityWeightMultiplier: float({ default: 1, min: 0, doc: 'How much members of the same soft-anti-affine group count.' }),
  buildFailureWeightMultiplier: float({ default: 1_000_000, doc: 'How much builds that failed since the last good one count.' }),
  maxInstancesPerHost: int({ default: 50, min: 1, doc: 'Servers a host may have, for NumInstancesFilter.' }),
  maxIoOpsPerHost: int({ default: 8, min: 1, doc: 'Servers a host may be building, for IoOpsFilter.' }),
  aggregateImagePropertiesIsolationNamespace: text({ default: '', doc: 'Aggregate metadata that isolates images starts so; empty: all.' }),
  aggregateImagePropertiesIsolationSeparator: text({ default: '.', doc: 'What follows that namespace.' }),
})
