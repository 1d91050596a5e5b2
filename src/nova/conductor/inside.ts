/** What is done to a running guest from inside or below: its password, and an interrupt upon which it dumps its memory. */
import { type CloudError, conflict, unavailable } from '../../base/errors.ts'
import { type SagaOutcome, Superseded, saga } from '../../base/saga/index.ts'
import { GuestError } from '../virt/index.ts'
import { askHost, orAborted } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Ending, ended, endedBadly, letGo } from './endings.ts'
import { eventOf } from './events.ts'
import { failureOf } from './faults.ts'
import type { ActionRule } from './guard.ts'

/** How long an agent may take; hypervisors of their own accord may wait for ever. */
const agentPatienceMs = 60_000

export type InsideInput = { uuid: string; host: string }

export const changePasswordRule: ActionRule = { name: 'changePassword', vmStates: ['active'], tasks: [null], task: 'updating_password' }
export const crashDumpRule: ActionRule = {
  name: 'trigger_crash_dump',
  vmStates: ['active', 'paused', 'rescued', 'resized', 'error'],
  tasks: [null],
  task: null,
}

type Context = { input: InsideInput; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, phase: string): Ending => ({ uuid, requestId, host, phase })

export const changePassword = saga<InsideInput, ConductorDeps>('change-password/1')
  .step('guest', {
    run: eventOf('compute_set_admin_password', async ({ input: { uuid, host }, signal }, { queue, adminPasswords, model, clock }) => {
      const password = adminPasswords.get(uuid)
      if (password === undefined) throw unavailable('The password was lost when the service was started anew; set it again.')
      const { os_type } = model.instances.get(uuid).imageProperties
      const user = os_type === 'windows' ? 'Administrator' : 'root'
      const tooLate = new AbortController()
      const deadline = clock.after(agentPatienceMs, () =>
        tooLate.abort(new GuestError(uuid, 'wrong-state', `the agent in guest ${uuid} has not answered for ${agentPatienceMs} ms`)),
      )
      const enough = AbortSignal.any([signal, tooLate.signal])
      await orAborted(askHost(queue, host, 'setPassword', { uuid, user, password }, uuid), enough).finally(() => deadline.cancel())
    }),
    commit(context, _output, deps) {
      deps.adminPasswords.delete(context.input.uuid)
      if (letGo(deps, context, ['updating_password'])) ended(deps, ending(context, 'password'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (!letGo(deps, context, ['updating_password'])) return
      deps.adminPasswords.delete(context.input.uuid)
      endedBadly(deps, ending(context, 'password'), error)
    },
  })

/** Why a password was not set, for who waits for it. */
export function passwordRefusal(uuid: string, { state, error }: SagaOutcome): CloudError {
  const refuse = (reason: string) => conflict(`Failed to set the password of instance ${uuid}: ${reason}`, { cause: error })
  if (state === 'stopped' || error === undefined) return refuse('The service is being stopped.')
  if (error instanceof Superseded) return refuse('Another request has taken the server over.')
  if (error instanceof GuestError && error.reason === 'wrong-state') return refuse('No agent answers in the guest.')
  return refuse(failureOf(error).message)
}

export const triggerCrashDump = saga<InsideInput, ConductorDeps>('crash-dump/1')
  .step('guest', {
    run: eventOf('compute_trigger_crash_dump', async ({ input: { uuid, host } }, { queue }) => {
      await askHost(queue, host, 'injectNmi', { uuid }, uuid)
    }),
    commit(context, _output, deps) {
      ended(deps, ending(context, 'trigger_crash_dump'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (!context.isSuperseded && deps.model.instances.find(context.input.uuid))
        endedBadly(deps, ending(context, 'trigger_crash_dump'), error)
    },
  })
