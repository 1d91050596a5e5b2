export { filterSchedulerConfig, schedulerConfig } from './config.ts'
export { type Filter, filters, type HostState, type ScheduleRequest } from './filters.ts'
export { makeScheduler, type Scheduler, type Selection, type SelectRequest } from './select.ts'
export { rank, type Weigher } from './weighers.ts'
