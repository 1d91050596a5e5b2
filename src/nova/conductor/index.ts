export { type BuildInput, buildServer, type InjectedFile } from './build.ts'
export { type BuildRequest, Conductor, type HostQuestion, type Work } from './conductor.ts'
export { conductorConfig } from './config.ts'
export { type DeleteInput, deleteServer } from './delete.ts'
export type { ConductorDeps, ConfigDriveFiles } from './deps.ts'
export { type EvacuateInput, evacuateRule, evacuateServer } from './evacuate.ts'
export { type ActionRule, type Caller, checkLaunched, checkLock, checkRule, checkState, hostOf } from './guard.ts'
export { tellStatus } from './host-report.ts'
export { changePassword, changePasswordRule, crashDumpRule, type InsideInput, passwordRefusal, triggerCrashDump } from './inside.ts'
export {
  type AttachInput,
  attachInterface,
  attachInterfaceRule,
  type DetachInput,
  detachInterface,
  detachInterfaceRule,
} from './interfaces.ts'
export {
  abortLiveMigration,
  abortRule,
  forceCompleteRule,
  type LiveMigrateInput,
  type LiveWish,
  liveMigrateRule,
  liveMigrateServer,
} from './live-migrate.ts'
export { LiveTurns } from './live-turns.ts'
export { holdNewFlavor, type MoveInput, migrateRule, moveServer, resizeRule } from './move.ts'
export { confirmResize, confirmResizeRule, type MoveEndInput, revertResize, revertResizeRule, takeUp } from './move-ends.ts'
export type { RequestedNic } from './ports.ts'
export { powerServer } from './power.ts'
export { type SyncVerdict, verdict } from './power-sync.ts'
export { changeRecord, type RebuildChange, type RebuildInput, rebuildRule, rebuildServer } from './rebuild.ts'
export { type RescueInput, rescueRule, rescueServer, type UnrescueInput, unrescueRule, unrescueServer } from './rescue.ts'
export {
  type OffloadInput,
  offloadRule,
  offloadServer,
  type ShelveInput,
  shelveRule,
  shelveServer,
  type UnshelveInput,
  unshelveRule,
  unshelveServer,
} from './shelve.ts'
export { createBackupRule, createImageRule, type SnapshotInput, snapshotServer } from './snapshot.ts'
export { registerSnapshot } from './snapshot-image.ts'
export { restoreRule, restoreServer, softDeleteServer } from './soft-delete.ts'
