/**
 * `shelve`, `shelveOffload`, `unshelve`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#shelve-server-shelve-action
 */
import { conflict, invalid } from '../../base/errors.ts'
import { as, bodies, closed, nullable, operation, type TProperties, Type } from '../../base/http/index.ts'
import {
  checkRule,
  offloadRule,
  offloadServer,
  registerSnapshot,
  type ShelveInput,
  shelveRule,
  shelveServer,
  unshelveRule,
  unshelveServer,
} from '../conductor/index.ts'
import { novaConfig } from '../model/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { serverName } from './schemas.ts'
import { nothing, serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

const shelve = operation({
  ...serverAction,
  action: 'shelve',
  policy: 'os_compute_api:os-shelve:shelve',
  body: nothing('shelve'),
  handle: async (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const caller = callerOf(request.context)
    const offload = nova.config.get(novaConfig).shelvedOffloadTime === 0
    const input: ShelveInput = { uuid: instance.uuid, host: instance.host ?? '', imageId: '', was: instance.vmState, offload }
    await nova.conductor.beginCapable(instance, shelveRule, caller, 'snapshots', {
      saga: shelveServer,
      input,
      rows: () => {
        const wish = { name: `${instance.name.slice(0, 247)}-shelved`, kind: 'snapshot', properties: {} } as const
        input.imageId = registerSnapshot(nova, instance, caller.userId, wish)
      },
    })
    return undefined
  },
})

const shelveOffload = operation({
  ...serverAction,
  action: 'shelveOffload',
  policy: 'os_compute_api:os-shelve:shelve_offload',
  body: nothing('shelveOffload'),
  handle: (request, nova: NovaApi) => {
    const instance = serverOf(request, nova)
    const input = { uuid: instance.uuid, host: instance.host ?? '' }
    void nova.conductor.begin(instance, offloadRule, callerOf(request.context), { saga: offloadServer, input })
    return undefined
  },
})

/** Where it is to go, if the request says; a zone of `null` lets go of the one that it was bound to. */
type Unshelve = { zone?: string | null; host?: string }
const rung = (properties: TProperties) =>
  as(Type.Object({ unshelve: nullable(Type.Object(properties, closed)) }, closed), (body): Unshelve => {
    const { availability_zone, host } = (body.unshelve ?? {}) as { availability_zone?: string | null; host?: string }
    return { ...(availability_zone === undefined ? {} : { zone: availability_zone }), ...(host === undefined ? {} : { host }) }
  })
const text = Type.String({ minLength: 1, maxLength: 255 })

const unshelve = operation({
  ...serverAction,
  action: 'unshelve',
  policy: 'os_compute_api:os-shelve:unshelve',
  body: bodies<Unshelve>({
    '2.1': as(Type.Object({ unshelve: Type.Unknown() }, closed), () => ({})),
    '2.77': rung({ availability_zone: serverName }),
    '2.91': rung({ availability_zone: Type.Optional(nullable(text)), host: Type.Optional(text) }),
  }),
  handle: (request, nova: NovaApi) => {
    const { body, context, enforce } = request
    const instance = serverOf(request, nova)
    const { uuid } = instance
    if (body.host !== undefined) enforce('os_compute_api:os-shelve:unshelve_to_host')
    checkRule(instance, unshelveRule, callerOf(context))
    const isBound = body.zone !== undefined || body.host !== undefined
    if (isBound && instance.vmState === 'shelved')
      throw conflict(
        `Instance ${uuid} is still on its host: an availability zone or a host may be named only for SHELVED_OFFLOADED servers.`,
      )
    if (body.zone && !nova.model.hosts.zones().some(({ name }) => name === body.zone && name !== 'internal'))
      throw invalid('The requested availability zone is not available')
    if (body.host !== undefined && !nova.model.hosts.nodes().some(({ host }) => host === body.host))
      throw invalid(`Compute host ${body.host} could not be found.`)
    const zone = body.zone === undefined ? instance.spec.pinnedZone : body.zone
    if (body.host !== undefined && zone !== null && nova.model.hosts.zoneOfHost(body.host) !== zone)
      throw conflict(`Host "${body.host}" is not in the availability zone "${zone}".`)
    const kept = body.zone === undefined ? instance.spec : { ...instance.spec, pinnedZone: body.zone }
    const imageId = nova.model.instances.systemMetadata(uuid).shelved_image_id ?? null
    const spec = { ...kept, requestedHost: body.host ?? null, requestedNode: null, isForced: false }
    void nova.conductor.begin(instance, unshelveRule, callerOf(context), {
      saga: unshelveServer,
      input: { uuid, host: instance.host, imageId, spec },
      rows: () => nova.model.instances.setSpec(uuid, kept),
    })
    return undefined
  },
})

export const serverShelveOperations = [shelve, shelveOffload, unshelve]
