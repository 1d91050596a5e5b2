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
export type { DiskTool, LibvirtDriverDeps, LibvirtProbe } from './libvirt/index.ts'
export * from './specs.ts'

/** The libvirt driver and its probes: with the wire client a tenth of the program, loaded where real guests are wanted. */
export const loadLibvirt = () => import('./libvirt/index.ts')
