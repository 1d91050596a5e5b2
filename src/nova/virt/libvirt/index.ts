export type { DiskTool } from './disks.ts'
export { type LibvirtDriverDeps, makeLibvirtDriver } from './driver.ts'
export { type LibvirtProbe, probeLibvirt } from './probe.ts'
