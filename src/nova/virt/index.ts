/** The front door of the hypervisor drivers. */
export {
  type EphemeralConfig,
  ephemeralConfig,
  type FakeConfig,
  fakeConfig,
  type LibvirtConfig,
  libvirtConfig,
  type SpiceConfig,
  spiceConfig,
} from './config.ts'
export * from './driver.ts'
export { type FakeAction, type FakeDriver, type FakeDriverDeps, makeFakeDriver } from './fake/index.ts'
export { type DiskTool, type LibvirtDriverDeps, type LibvirtProbe, makeLibvirtDriver, probeKvm, probeLibvirt } from './libvirt/index.ts'
export * from './specs.ts'
