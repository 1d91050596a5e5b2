import { float, int, list, section } from '../../base/config/index.ts'
import { filters } from './filters.ts'

export const schedulerConfig = section('scheduler', {
  maxAttempts: int({ default: 3, min: 1, doc: 'Hosts tried before a build fails.' }),
  maxPlacementResults: int({ default: 1000, min: 1, doc: 'Hosts that placement proposes at most.' }),
})

export const filterSchedulerConfig = section('filter_scheduler', {
  enabledFilters: list({ default: filters.map(({ name }) => name), doc: 'Filters that turn hosts away, in this order.' }),
  ramWeightMultiplier: float({ default: 1, doc: 'How much free memory counts; negative stacks servers on few hosts.' }),
  cpuWeightMultiplier: float({ default: 1, doc: 'How much free virtual CPUs count.' }),
  diskWeightMultiplier: float({ default: 1, doc: 'How much free disk counts.' }),
  ioOpsWeightMultiplier: float({ default: -1, doc: 'How much the servers that a host is building count.' }),
})
