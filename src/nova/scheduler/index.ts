export { filterSchedulerConfig, metricsConfig, schedulerConfig } from './config.ts'
export { makeScheduler, type Scheduler, type Selection, type SelectRequest } from './select.ts'
