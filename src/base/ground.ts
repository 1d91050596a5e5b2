/** What every room stands on; made once a cloud, in `cloud.ts`. */
import type { Clock } from './clock.ts'
import type { Config } from './config/index.ts'
import type { Database } from './db/index.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Queue } from './queue/index.ts'
import type { SagaRunner } from './saga/index.ts'

export type Ground = {
  readonly db: Database
  readonly clock: Clock
  readonly config: Config
  readonly log: Log
  readonly queue: Queue
  readonly sagas: SagaRunner
  readonly metrics: Metrics
  /** Absolute; mode 0700. */
  readonly dataDir: string
}
