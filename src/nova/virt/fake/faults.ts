/** Failures on request: from the configuration or a test, each for one action, a number of times or for ever. */
import { GuestError } from '../driver.ts'

const actions = [
  'spawn',
  'destroy',
  'powerOn',
  'powerOff',
  'reboot',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'consoleOutput',
  'console',
  'resources',
  'list',
  'snapshot',
  'rescue',
  'unrescue',
  'resize',
  'confirmResize',
  'revertResize',
  'attachInterface',
  'detachInterface',
  'setPassword',
  'diagnostics',
  'injectNmi',
  'depart',
  'arrive',
  'expect',
  'send',
  'forceComplete',
  'receive',
] as const
export type FakeAction = (typeof actions)[number]

const reasons = ['not-found', 'wrong-state', 'no-resources', 'host-down', 'failed'] as const
type Reason = GuestError['reason']
type Fault = { action: FakeAction; left: number; error: Error | Reason }

export class Faults {
  readonly #faults: Fault[]

  /** @throws {RangeError} when a line of `[fake] fail` is not `action[:times][:reason]` */
  constructor(configured: readonly string[]) {
    this.#faults = configured.map(parseFault)
  }

  add(action: FakeAction, error: Error | Reason = 'failed', times = 1): void {
    this.#faults.push({ action, left: times, error })
  }

  /** @throws the failure that is due */
  check(action: FakeAction, uuid: string): void {
    const fault = this.#faults.find((each) => each.action === action && each.left > 0)
    if (!fault) return
    fault.left -= 1
    throw fault.error instanceof Error ? fault.error : new GuestError(uuid, fault.error, `${action} was told to fail`)
  }
}

function parseFault(line: string): Fault {
  const [name = '', times = 'once', reason = 'failed', ...rest] = line.split(':')
  const action = actions.find((each) => each === name.replace(/[_-]([a-z])/g, (_, letter: string) => letter.toUpperCase()))
  const left = times === 'once' ? 1 : times === 'always' ? Infinity : /^\d{1,6}$/.test(times) ? Number(times) : undefined
  const known = reasons.find((each) => each === reason)
  if (!action || left === undefined || !known || rest.length > 0)
    throw new RangeError(`[fake] fail: ${line} is not action[:times][:reason]`)
  return { action, left, error: known }
}
