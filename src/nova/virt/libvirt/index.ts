export type { DiskTool } from './disks.ts'
export { type LibvirtDriverDeps, makeLibvirtDriver } from './driver.ts'
export { type KvmAnswer, probeKvm } from './kvm-probe.ts'
export { type LibvirtProbe, probeLibvirt } from './probe.ts'
