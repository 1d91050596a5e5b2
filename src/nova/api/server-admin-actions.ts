/**
 * Actions on a server that touch its record alone, and those about deleting it: lock, unlock, reset its state, delete by
 * force, restore.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-run-an-administrative-action-servers-action
 */
import { as, bodies, closed, nullable, operation, Type } from '../../base/http/index.ts'
import { checkLock } from '../conductor/index.ts'
import type { Instance } from '../model/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { nothing, serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

const lock = operation({
  ...serverAction,
  action: 'lock',
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-lock-server:lock',
  body: bodies<string | null>({
    '2.1': as(Type.Object({ lock: Type.Unknown() }, closed), () => null),
    '2.73': as(
      Type.Object(
        {
          lock: nullable(Type.Object({ locked_reason: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, closed)),
        },
        closed,
      ),
      ({ lock: given }) => given?.locked_reason ?? null,
    ),
  }),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const by = lockerOf(instance, request.context)
    // Who owns a server cannot turn an administrator's lock into one of its own.
    if (instance.locked && by === 'owner') return undefined
    nova.conductor.record(instance, 'lock', callerOf(request.context), () => {
      nova.model.instances.update(instance.uuid, { locked: 1, locked_by: by })
      if (request.body !== null) nova.model.instances.setSystemMetadata(instance.uuid, { locked_reason: request.body })
    })
    return undefined
  },
})

const unlock = operation({
  ...serverAction,
  action: 'unlock',
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-lock-server:unlock',
  body: nothing('unlock'),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    if (instance.lockedBy !== null && instance.lockedBy !== lockerOf(instance, request.context))
      request.enforce('os_compute_api:os-lock-server:unlock:unlock_override')
    nova.conductor.record(instance, 'unlock', callerOf(request.context), () => {
      nova.model.instances.update(instance.uuid, { locked: 0, locked_by: null })
      nova.model.instances.setSystemMetadata(instance.uuid, { locked_reason: null })
    })
    return undefined
  },
})

/** As whom somebody locks: of another project's server only an administrator can. */
const lockerOf = (instance: Instance, context: Parameters<typeof viewerOf>[0]): 'owner' | 'admin' =>
  viewerOf(context).projectId === instance.projectId ? 'owner' : 'admin'

const resetState = operation({
  ...serverAction,
  action: 'os-resetState',
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-admin-actions:reset_state',
  body: bodies<'active' | 'error'>({
    '2.1': as(
      Type.Object(
        { 'os-resetState': Type.Object({ state: Type.Unsafe<'active' | 'error'>({ type: 'string', enum: ['active', 'error'] }) }, closed) },
        closed,
      ),
      (body) => body['os-resetState'].state,
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    await nova.conductor.reset(instance, request.body)
    const caller = callerOf(request.context)
    nova.model.actions.begin('resetState', instance.uuid, caller)
    nova.model.actions.finish(instance.uuid, caller.requestId)
    return undefined
  },
})

const injectNetworkInfo = operation({
  ...serverAction,
  action: 'injectNetworkInfo',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-admin-actions:inject_network_info',
  body: nothing('injectNetworkInfo'),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    checkLock(instance, callerOf(request.context))
    nova.conductor.watch.refreshPorts(instance.uuid)
    return undefined
  },
})

const forceDelete = operation({
  ...serverAction,
  action: 'forceDelete',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-deferred-delete:force',
  body: nothing('forceDelete'),
  handle: (request, nova: NovaApi) => {
    nova.conductor.delete(serverOf(request, nova), callerOf(request.context), { force: true })
    return undefined
  },
})

const restore = operation({
  ...serverAction,
  action: 'restore',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:os-deferred-delete:restore',
  body: nothing('restore'),
  handle: (request, nova: NovaApi) => {
    nova.conductor.restore(serverOf(request, nova), callerOf(request.context))
    return undefined
  },
})

export const serverAdminOperations = [lock, unlock, resetState, injectNetworkInfo, forceDelete, restore]
