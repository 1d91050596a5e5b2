/**
 * `POST /servers/{id}/action`: power, and what the serial line said.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-run-an-action-servers-action
 */
import { conflict } from '../../base/errors.ts'
import { as, bodies, closed, kinds, operation, Type } from '../../base/http/index.ts'
import type { PowerAction } from '../compute/index.ts'
import { GuestError } from '../virt/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { serverOf } from './servers.ts'

export const actionPath = '/servers/{server_id}/action'
/** What most actions have in common: they go on after the answer, and not every host can do them (501). */
export const serverAction = { method: 'POST', path: actionPath, status: 202, errors: [400, 403, 404, 409, 501] } as const
/** The body of an action that says no more than its name. */
export const nothing = (action: string) => bodies<null>({ '2.1': as(Type.Object({ [action]: Type.Unknown() }, closed), () => null) })

/** Body key, what it does, and the policy's name. */
const powerActions: readonly (readonly [string, PowerAction, string])[] = [
  ['os-start', 'start', 'os_compute_api:servers:start'],
  ['os-stop', 'stop', 'os_compute_api:servers:stop'],
  ['pause', 'pause', 'os_compute_api:os-pause-server:pause'],
  ['unpause', 'unpause', 'os_compute_api:os-pause-server:unpause'],
  ['suspend', 'suspend', 'os_compute_api:os-suspend-server:suspend'],
  ['resume', 'resume', 'os_compute_api:os-suspend-server:resume'],
]

const powerOperations = powerActions.map(([action, power, policy]) =>
  operation({
    ...serverAction,
    action,
    policy,
    body: nothing(action),
    handle: (request, nova: NovaApi) => {
      nova.conductor.power(serverOf(request, nova), power, callerOf(request.context))
      return undefined
    },
  }),
)

const reboot = operation({
  ...serverAction,
  action: 'reboot',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:reboot',
  body: bodies<'SOFT' | 'HARD'>({
    '2.1': as(
      Type.Object(
        {
          reboot: Type.Object({ type: Type.String({ enum: ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft'] }) }, closed),
        },
        closed,
      ),
      ({ reboot: { type } }) => type.toUpperCase() as 'SOFT' | 'HARD',
    ),
  }),
  handle: (request, nova: NovaApi) => {
    nova.conductor.power(serverOf(request, nova), request.body === 'HARD' ? 'reboot-hard' : 'reboot-soft', callerOf(request.context))
    return undefined
  },
})

const length = kinds(Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null())

const consoleOutput = operation({
  ...serverAction,
  action: 'os-getConsoleOutput',
  status: 200,
  policy: 'os_compute_api:os-console-output',
  body: bodies<number | null>({
    '2.1': as(Type.Object({ 'os-getConsoleOutput': Type.Object({ length: Type.Optional(length) }, closed) }, closed), (body) => {
      const lines = body['os-getConsoleOutput'].length ?? null
      return lines === null || Number(lines) < 0 ? null : Number(lines)
    }),
  }),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    try {
      const text = await nova.conductor.ask(instance, 'consoleOutput', { uuid: instance.uuid, lines: request.body })
      return { output: printable(text) }
    } catch (error) {
      if (error instanceof GuestError) throw conflict(`Instance ${instance.uuid} is not ready`, { cause: error })
      throw error
    }
  },
})

/** What a guest writes is its own: characters that no JSON reader or terminal should meet are left out. */
const printable = (text: string): string => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g, '')

export const serverActionOperations = [...powerOperations, reboot, consoleOutput]
