/** What the conductor's rooms are given. */
import type { Ground } from '../../base/ground.ts'
import type { Images } from '../../image/index.ts'
import type { Networks } from '../../network/index.ts'
import type { Placement } from '../../placement/index.ts'
import type { Instance, Model } from '../model/index.ts'
import type { Scheduler } from '../scheduler/index.ts'
import type { LiveTurns } from './live-turns.ts'

/** Files of a config drive, rendered by the metadata service, which stands further right and so is handed in. */
export type ConfigDriveFiles = (
  instance: Instance,
  adminPass: string | null,
  injected: readonly { path: string; data: Uint8Array }[],
) => Promise<{ path: string; data: Uint8Array }[]>

export type ConductorDeps = Ground & {
  readonly model: Model
  readonly scheduler: Scheduler
  readonly placement: Placement
  readonly networks: Networks
  readonly images: Pick<Images, 'collectGarbage' | 'get' | 'list' | 'register' | 'remove'>
  readonly configDriveFiles: ConfigDriveFiles
  /** Passwords of servers being built, by uuid: never written down, so lost when the process ends. */
  readonly adminPasswords: Map<string, string>
  readonly liveTurns: LiveTurns
  /** The name under which the control plane's own services report. */
  readonly host: string
}
