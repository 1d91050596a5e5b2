export { sagaConfig } from './config.ts'
export { type RunnerOptions, type SagaOutcome, Shutdown, Superseded } from './drive.ts'
export { SagaRunner, type StartOptions } from './runner.ts'
export {
  type AnyStep,
  type CommitContext,
  type EndContext,
  RetryFrom,
  SagaDefinition,
  type Step,
  type StepContext,
  saga,
  type UndoContext,
} from './saga.ts'
