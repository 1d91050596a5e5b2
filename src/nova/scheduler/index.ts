export { filterSchedulerConfig, metricsConfig, schedulerConfig } from './config.ts'
export { checkGuestWishes } from './guest-wishes.ts'
export { makeScheduler, type Scheduler, type Selection, type SelectRequest } from './select.ts'
export { imageObstacle, wantsNuma } from './unmet-demands.ts'
