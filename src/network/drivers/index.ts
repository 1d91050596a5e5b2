/** The data plane of networks: one interface, a driver for Linux hosts and one that only remembers. Nothing outside this folder needs its other files. */
import type { DriverDeps, NetworkDriver } from './driver.ts'
import { makeFakeDriver } from './fake.ts'

export type * from './driver.ts'
export { CommandFailed, InvalidPlan } from './errors.ts'
export { runNetnsListener } from './netns-listener.ts'
export { protocolNumbers } from './protocols.ts'
export { makeFakeDriver }

/** What it needs is loaded where real networks are wanted. @throws {RangeError} for a malformed prefix. */
export async function makeLinuxDriver(deps: DriverDeps): Promise<NetworkDriver> {
  const linux = await import('./linux/driver.ts')
  return linux.makeLinuxDriver(deps)
}

/**
 * The driver of the wanted kind; for `auto` the real one where the host can carry it, else the fake, with the reasons in the log.
 * @throws {RangeError} for a malformed prefix; {Error} naming every problem and remedy when `linux` is wanted and cannot work.
 */
export async function makeNetworkDriver(kind: 'auto' | 'linux' | 'fake', deps: DriverDeps): Promise<NetworkDriver> {
  if (kind === 'fake') return makeFakeDriver(deps)
  const driver = await makeLinuxDriver(deps)
  const { ok, problems } = await driver.capabilities()
  const said = problems.map(({ what, remedy }) => `${what} (remedy: ${remedy})`)
  if (!ok && kind === 'linux') throw new Error(`guests' networks cannot work on this host: ${said.join('; ')}`)
  for (const one of said) deps.log.warn(`network: ${one}`)
  return ok ? driver : makeFakeDriver(deps)
}
