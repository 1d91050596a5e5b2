export { sagaConfig } from './config.ts'
export { type RunnerOptions, type SagaOutcome, SagaRunner, type StartOptions } from './runner.ts'
export { type AnyStep, type EndContext, RetryFrom, SagaDefinition, type Step, type StepContext, saga, type UndoContext } from './saga.ts'
