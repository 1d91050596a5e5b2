export { type FakeDriver, type FakeDriverDeps, makeFakeDriver } from './driver.ts'
export type { FakeAction } from './faults.ts'
