export { capabilityWords } from './capable.ts'
export { computeConfig } from './config.ts'
export { wantsAgent } from './guest-spec.ts'
export { topologyFor } from './guest-tuning.ts'
export { ComputeManager, type ImageFiles, type ManagerDeps, type Plugs } from './manager.ts'
export {
  type ArriveArgs,
  type Capability,
  type ComputeCalls,
  computeTopic,
  type DestroyArgs,
  type GuestChanged,
  type GuestCopied,
  type GuestUploading,
  guestChanged,
  guestCopied,
  guestUploading,
  type HostReport,
  hostConnected,
  hostReported,
  type PowerAction,
  type PowerArgs,
  type RescueArgs,
  type SpawnArgs,
} from './messages.ts'
