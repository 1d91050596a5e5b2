/**
 * `rescue` and `unrescue`, `changePassword`, `trigger_crash_dump`: for a server that one cannot get into.
 *
 * @see https://docs.openstack.org/api-ref/compute/#rescue-server-rescue-action
 */
import { conflict, invalid } from '../../base/errors.ts'
import { as, bodies, closed, nullable, operation, Type } from '../../base/http/index.ts'
import { wantsAgent } from '../compute/index.ts'
import {
  changePasswordRule,
  changePassword as changePasswordSaga,
  checkRule,
  crashDumpRule,
  passwordRefusal,
  type RescueInput,
  rescueRule,
  rescueServer,
  triggerCrashDump,
  unrescueRule,
  unrescueServer,
} from '../conductor/index.ts'
import { apiConfig, type Instance } from '../model/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { anyPassword } from './schemas.ts'
import { nothing, serverAction } from './server-actions.ts'
import { generatePassword, serverOf } from './servers.ts'

/** The image to rescue with: the one named, or the server's own. @throws {CloudError} `invalid`. */
function rescueImage(instance: Instance, id: string | null, viewer: ReturnType<typeof viewerOf>, nova: NovaApi): RescueInput['image'] {
  const image = id === null ? nova.images.get(instance.imageId ?? '', null) : nova.images.get(id, viewer)
  if (!image) throw invalid(`Instance ${instance.uuid} cannot be rescued: the rescue image could not be found.`)
  if (image.status !== 'active') throw invalid(`Instance ${instance.uuid} cannot be rescued: image ${image.id} is not active.`)
  const { id: imageId, properties } = image
  return { id: imageId, properties, kernelId: properties.kernel_id ?? null, ramdiskId: properties.ramdisk_id ?? null }
}

const rescue = operation({
  ...serverAction,
  action: 'rescue',
  status: 200,
  policy: 'os_compute_api:os-rescue',
  body: bodies<{ adminPass: string | null; imageId: string | null }>({
    '2.1': as(
      Type.Object(
        {
          rescue: nullable(
            Type.Object({ adminPass: anyPassword, rescue_image_ref: Type.Optional(Type.String({ format: 'uuid' })) }, closed),
          ),
        },
        closed,
      ),
      ({ rescue: given }) => ({ adminPass: given?.adminPass ?? null, imageId: given?.rescue_image_ref ?? null }),
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const { body, context } = request
    const instance = serverOf(request, nova)
    const adminPass = body.adminPass ?? generatePassword()
    checkRule(instance, rescueRule, callerOf(context))
    const image = rescueImage(instance, body.imageId, viewerOf(context), nova)
    const input: RescueInput = { uuid: instance.uuid, host: instance.host ?? '', image, was: instance.vmState }
    await nova.conductor.beginCapable(instance, rescueRule, callerOf(context), 'rescue', { saga: rescueServer, input, secret: adminPass })
    return nova.config.get(apiConfig).enableInstancePassword ? { adminPass } : {}
  },
})

const unrescue = operation({
  ...serverAction,
  action: 'unrescue',
  policy: 'os_compute_api:os-unrescue',
  body: nothing('unrescue'),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const input = { uuid: instance.uuid, host: instance.host ?? '' }
    await nova.conductor.beginCapable(instance, unrescueRule, callerOf(request.context), 'rescue', { saga: unrescueServer, input })
    return undefined
  },
})

const changePassword = operation({
  ...serverAction,
  action: 'changePassword',
  policy: 'os_compute_api:os-admin-password',
  body: bodies<string>({
    '2.1': as(
      Type.Object({ changePassword: Type.Object({ adminPass: Type.String() }, closed) }, closed),
      (body) => body.changePassword.adminPass,
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const input = { uuid: instance.uuid, host: instance.host ?? '' }
    // After all that is asked of any server, so that one in another state is told of its state.
    const rows = () => {
      if (!wantsAgent(instance.imageProperties)) throw conflict('QEMU guest agent is not enabled')
    }
    const work = { saga: changePasswordSaga, input, rows, secret: request.body }
    const { outcome } = await nova.conductor.beginCapable(instance, changePasswordRule, callerOf(request.context), 'setPassword', work)
    const ended = await outcome
    if (ended.state !== 'done') throw passwordRefusal(instance.uuid, ended)
    return undefined
  },
})

const crashDump = operation({
  ...serverAction,
  action: 'trigger_crash_dump',
  since: '2.17',
  policy: 'os_compute_api:servers:trigger_crash_dump',
  body: bodies<null>({ '2.17': as(Type.Object({ trigger_crash_dump: Type.Null() }, closed), () => null) }),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const input = { uuid: instance.uuid, host: instance.host ?? '' }
    await nova.conductor.beginCapable(instance, crashDumpRule, callerOf(request.context), 'injectNmi', { saga: triggerCrashDump, input })
    return undefined
  },
})

export const serverRescueOperations = [rescue, unrescue, changePassword, crashDump]
