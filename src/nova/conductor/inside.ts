/** What is done to a running guest from inside or below: its password, and an interrupt upon which it dumps its memory. */
import { unavailable } from '../../base/errors.ts'
import { saga } from '../../base/saga/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Ending, ended, endedBadly, letGo } from './endings.ts'
import type { ActionRule } from './guard.ts'

export type InsideInput = { uuid: string; host: string }

export const changePasswordRule: ActionRule = { name: 'changePassword', vmStates: ['active'], tasks: [null], task: 'updating_password' }
export const crashDumpRule: ActionRule = {
  name: 'trigger_crash_dump',
  vmStates: ['active', 'paused', 'rescued', 'resized', 'error'],
  tasks: [null],
  task: null,
}

type Context = { input: InsideInput; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, event: string, phase: string): Ending => ({
  uuid,
  requestId,
  host,
  event: `compute_${event}`,
  phase,
})

export const changePassword = saga<InsideInput, ConductorDeps>('change-password/1')
  .step('guest', {
    async run({ input: { uuid, host } }, { queue, adminPasswords, model }) {
      const password = adminPasswords.get(uuid)
      if (password === undefined) throw unavailable('The password was lost when the service was started anew; set it again.')
      const { os_type } = model.instances.keptProperties([uuid]).get(uuid) ?? {}
      await askHost(queue, host, 'setPassword', { uuid, user: os_type === 'windows' ? 'Administrator' : 'root', password }, uuid)
    },
    commit(context, _output, deps) {
      deps.adminPasswords.delete(context.input.uuid)
      if (letGo(deps, context, ['updating_password'])) ended(deps, ending(context, 'set_admin_password', 'password'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (!letGo(deps, context, ['updating_password'])) return
      deps.adminPasswords.delete(context.input.uuid)
      endedBadly(deps, ending(context, 'set_admin_password', 'password'), error)
    },
  })

export const triggerCrashDump = saga<InsideInput, ConductorDeps>('crash-dump/1')
  .step('guest', {
    async run({ input: { uuid, host } }, { queue }) {
      await askHost(queue, host, 'injectNmi', { uuid }, uuid)
    },
    commit(context, _output, deps) {
      ended(deps, ending(context, 'trigger_crash_dump', 'trigger_crash_dump'))
    },
  })
  .end({
    undone(context, error, deps) {
      if (!context.isSuperseded && deps.model.instances.find(context.input.uuid))
        endedBadly(deps, ending(context, 'trigger_crash_dump', 'trigger_crash_dump'), error)
    },
  })
