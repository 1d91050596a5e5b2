/**
 * `resize`, `confirmResize`, `revertResize`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#resize-server-resize-action
 */
import { conflict, invalid } from '../../base/errors.ts'
import { as, bodies, closed, kinds, operation, Type } from '../../base/http/index.ts'
import {
  checkRule,
  confirmResizeRule,
  confirmResize as confirmResizeSaga,
  holdNewFlavor,
  type MoveEndInput,
  type MoveInput,
  moveServer,
  resizeRule,
  revertResizeRule,
  revertResize as revertResizeSaga,
  takeUp,
} from '../conductor/index.ts'
import type { Flavor, Instance } from '../model/index.ts'
import { checkGuestWishes } from '../scheduler/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { diskConfig } from './schemas.ts'
import { nothing, serverAction } from './server-actions.ts'
import { flavorIdIn } from './server-create.ts'
import { serverOf } from './servers.ts'

type Resize = { flavorRef: string; autoDiskConfig: boolean }

/** @throws {CloudError} `invalid` for a flavor to which this server cannot come. */
function checkFlavor({ flavor, imageId, imageProperties }: Instance, next: Flavor, { images }: NovaApi): void {
  if (next.flavorId === flavor.flavorId) throw invalid('When resizing, instances must change flavor!')
  if (next.rootGib === 0 && flavor.rootGib > 0) throw invalid('Resize to zero disk flavor is not allowed.')
  if (next.rootGib < flavor.rootGib || next.ephemeralGib < flavor.ephemeralGib)
    throw invalid('Unable to resize disk down: the flavor has less disk than the server.')
  const image = imageId === null ? null : images.get(imageId, null)
  if (image && image.minRamMib > next.memoryMib) throw invalid("Flavor's memory is too small for requested image.")
  checkGuestWishes(next, { name: image?.name ?? '', properties: imageProperties })
}

/** @throws {CloudError} `conflict` while the server's host does not report itself. */
export function needServiceUp({ model }: Pick<NovaApi, 'model'>, { host }: Instance): void {
  const [service] = model.hosts.services({ host: host ?? '', binary: 'nova-compute' })
  if (!service?.up) throw conflict('Service is unavailable at this time.')
}

const resize = operation({
  ...serverAction,
  action: 'resize',
  policy: 'os_compute_api:servers:resize',
  body: bodies<Resize>({
    '2.1': as(
      Type.Object(
        {
          resize: Type.Object(
            {
              flavorRef: kinds(Type.String({ minLength: 1 }), Type.Integer({ minimum: 0 })),
              'OS-DCF:diskConfig': Type.Optional(diskConfig),
            },
            closed,
          ),
        },
        closed,
      ),
      ({ resize: { flavorRef, 'OS-DCF:diskConfig': wanted } }) => ({
        flavorRef: flavorIdIn(String(flavorRef)),
        autoDiskConfig: wanted === 'AUTO',
      }),
    ),
  }),
  handle: async (request, nova: NovaApi) => {
    const { body, context } = request
    const instance = serverOf(request, nova)
    const { uuid, vmState } = instance
    const caller = callerOf(context)
    checkRule(instance, resizeRule, caller)
    const flavor = nova.model.flavors.find(body.flavorRef, viewerOf(context))
    if (!flavor || flavor.disabled) throw invalid(`Flavor ${body.flavorRef} could not be found.`)
    checkFlavor(instance, flavor, nova)
    const input: MoveInput = { uuid, migrationId: 0, was: vmState, host: null }
    await nova.conductor.beginCapable(instance, resizeRule, caller, 'resize', {
      saga: moveServer,
      input,
      rows: () => {
        needServiceUp(nova, instance)
        holdNewFlavor(nova, instance, flavor)
        input.migrationId = nova.model.migrations.begin({ instance, type: 'resize', newFlavor: flavor, destination: null, by: caller })
        nova.model.instances.update(uuid, { auto_disk_config: body.autoDiskConfig ? 1 : 0 })
      },
    })
    return undefined
  },
})

const confirm = operation({
  ...serverAction,
  action: 'confirmResize',
  status: 204,
  policy: 'os_compute_api:servers:confirm_resize',
  body: nothing('confirmResize'),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const input: MoveEndInput = { uuid: instance.uuid, host: instance.host ?? '', migrationId: 0 }
    void nova.conductor.begin(instance, confirmResizeRule, callerOf(request.context), {
      saga: confirmResizeSaga,
      input,
      rows: () => {
        input.migrationId = takeUp(nova, instance.uuid, 'confirming')
      },
    })
    return undefined
  },
})

const revert = operation({
  ...serverAction,
  action: 'revertResize',
  policy: 'os_compute_api:servers:revert_resize',
  body: nothing('revertResize'),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const { uuid, projectId, userId, flavor } = instance
    const input: MoveEndInput = { uuid, host: instance.host ?? '', migrationId: 0 }
    void nova.conductor.begin(instance, revertResizeRule, callerOf(request.context), {
      saga: revertResizeSaga,
      input,
      rows: () => {
        input.migrationId = takeUp(nova, uuid, 'reverting')
        const old = nova.model.extras.flavors(uuid).old ?? flavor
        const more = { instances: 0, cores: old.vcpus - flavor.vcpus, ram: old.memoryMib - flavor.memoryMib }
        nova.model.quotas.demand(projectId, more, userId)
      },
    })
    return undefined
  },
})

export const serverResizeOperations = [resize, confirm, revert]
