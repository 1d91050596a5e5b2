/** A daemon for tests. */
export { type MockCall, MockDaemon, type MockFailure, startMockDaemon } from './daemon.ts'
export type { MockGuests, MockNetwork, MockPool, MockState, MockVolume } from './state.ts'
export type { MockDomain, MockSnapshot, World } from './world.ts'
