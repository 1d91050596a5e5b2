/**
 * Volumes of a server. What is attached is read from the server's block device mappings; whether there is a volume at all
 * is the volume service's to say.
 *
 * @see https://docs.openstack.org/api-ref/compute/#servers-with-volume-attachments-servers-os-volume-attachments
 */
import { conflict, invalid, notFound } from '../../base/errors.ts'
import {
  as,
  atLeast,
  bodies,
  closed,
  field,
  type Incoming,
  nullable,
  operation,
  type TProperties,
  Type,
  view,
} from '../../base/http/index.ts'
import { type ActionRule, checkRule } from '../conductor/index.ts'
import type { Instance, VolumeAttachment } from '../model/index.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { type Known, knownQuery, noQuery } from './known-query.ts'
import { anyBoolean, isTrue, tagSchema } from './schemas.ts'
import { serverOf } from './servers.ts'
import { offsetNames, pageOf } from './volumes.ts'

const attachmentView = view<VolumeAttachment>({
  id: field(({ volumeId }) => volumeId, { until: '2.88' }),
  volumeId: ({ volumeId }) => volumeId,
  serverId: ({ serverId }) => serverId,
  device: ({ device }) => device ?? undefined,
  tag: field(({ tag }) => tag, { since: '2.70' }),
  delete_on_termination: field(({ deleteOnTermination }) => deleteOnTermination, { since: '2.79' }),
  attachment_id: field(({ attachmentId }) => attachmentId, { since: '2.89' }),
  bdm_uuid: field(({ uuid }) => uuid, { since: '2.89' }),
})

const listPath = '/servers/{server_id}/os-volume_attachments'
const onePath = `${listPath}/{volume_id}`
const policyOf = (name: string) => `os_compute_api:os-volumes-attachments:${name}`
type Read = Incoming<undefined, Known>

/** From 2.89 an attachment is shown by its id, and not before it has one. */
const isShown = ({ context }: Pick<Read, 'context'>, { attachmentId }: VolumeAttachment): boolean =>
  attachmentId !== null || !atLeast(context, '2.89')
const notAttached = (serverId: string, volumeId: string) =>
  notFound(`Instance ${serverId} is not attached to volume ${volumeId.slice(0, 255)}`)

const listAttachments = operation({
  method: 'GET',
  path: listPath,
  status: 200,
  errors: [400, 403, 404],
  policy: policyOf('index'),
  query: knownQuery({ '2.1': offsetNames }, '2.75'),
  handle: (request: Read, nova: NovaApi) => {
    const attachments = pageOf(nova.model.blockDevices.volumes(serverOf(request, nova).uuid), request.query, nova)
    return {
      volumeAttachments: attachments.filter((one) => isShown(request, one)).map((one) => attachmentView(one, request.context)),
    }
  },
})

const showAttachment = operation({
  method: 'GET',
  path: onePath,
  status: 200,
  errors: [400, 403, 404],
  policy: policyOf('show'),
  query: noQuery,
  handle: (request: Read, nova: NovaApi) => {
    const { uuid } = serverOf(request, nova)
    const volumeId = request.params.volume_id ?? ''
    const found = nova.model.blockDevices.volume(uuid, volumeId)
    if (!found || !isShown(request, found)) throw notAttached(uuid, volumeId)
    return { volumeAttachment: attachmentView(found, request.context) }
  },
})

const uuid = Type.String({ format: 'uuid' })
const device = {
  device: Type.Optional(nullable(Type.String({ pattern: '(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$' }))),
}
const tag = { tag: Type.Optional(tagSchema) }
const flag = { delete_on_termination: Type.Optional(anyBoolean) }

type Attachment = {
  volumeId: string
  device?: string | null
  tag?: string
  delete_on_termination?: boolean | string
  serverId?: string
  id?: string
}
const rung = (properties: TProperties) =>
  as(
    Type.Object({ volumeAttachment: Type.Object({ volumeId: uuid, ...properties }, closed) }, closed),
    ({ volumeAttachment }) => volumeAttachment as Attachment,
  )

const vmStates = ['active', 'paused', 'stopped', 'resized', 'soft-delete', 'shelved', 'shelved_offloaded'] as const
const attachRule: ActionRule = { name: 'attach_volume', vmStates, tasks: [null], task: null, mayLackHost: true }
const detachRule: ActionRule = { name: 'detach_volume', vmStates, tasks: [null], task: null, mayLackHost: true }

/** @throws {CloudError} `conflict` for a server that is shelved, before 2.20. */
function checkShelved({ context }: Pick<Incoming, 'context'>, instance: Instance, { name }: ActionRule): void {
  if (!instance.vmState.startsWith('shelved') || atLeast(context, '2.20')) return
  throw conflict(`Cannot '${name}' instance ${instance.uuid} while it is in vm_state ${instance.vmState}`)
}

/** What no host here can do yet, whatever the volume service has. */
const beyondHosts = (what: string) => conflict(`The hosts of this cloud ${what} no volumes.`)

const createAttachment = operation({
  method: 'POST',
  path: listPath,
  status: { '2.1': 200, '2.101': 202 },
  errors: [400, 403, 404, 409],
  policy: policyOf('create'),
  body: bodies<Attachment>({ '2.1': rung(device), '2.49': rung({ ...device, ...tag }), '2.79': rung({ ...device, ...tag, ...flag }) }),
  handle: (request: Incoming<Attachment>, nova: NovaApi): undefined => {
    const instance = serverOf(request, nova)
    const { volumeId } = request.body
    checkShelved(request, instance, attachRule)
    checkRule(instance, attachRule, callerOf(request.context))
    nova.volumes.volume(volumeId, viewerOf(request.context))
    if (nova.model.blockDevices.volume(instance.uuid, volumeId)) throw invalid(`Invalid volume: volume ${volumeId} already attached`)
    throw beyondHosts('attach')
  },
})

/** @throws {CloudError} `not-found`; `invalid` for what is not to be changed. */
function change(instance: Instance, volumeId: string, body: Attachment, nova: NovaApi): void {
  const found = nova.model.blockDevices.volume(instance.uuid, volumeId)
  if (!found) throw notFound(`No volume Block Device Mapping with id ${volumeId.slice(0, 255)}.`)
  const kept = { id: volumeId, serverId: instance.uuid, device: found.device, tag: found.tag }
  for (const [name, value] of Object.entries(kept)) {
    const wanted = body[name as keyof typeof kept]
    if (wanted !== undefined && wanted !== value) throw invalid(`The ${name} property is not mutable`)
  }
  if (body.delete_on_termination !== undefined) nova.model.blockDevices.setDeleteOnTermination(found, isTrue(body.delete_on_termination))
}

/** Changes the attachment from 2.85; another volume in its place is the volume service's wish, while that volume migrates. */
const updateAttachment = operation({
  method: 'PUT',
  path: onePath,
  status: 202,
  errors: [400, 403, 404, 409],
  policy: null,
  body: bodies<Attachment>({
    '2.1': rung({}),
    '2.85': rung({ ...device, ...tag, ...flag, serverId: Type.Optional(uuid), id: Type.Optional(uuid) }),
  }),
  handle: (request: Incoming<Attachment>, nova: NovaApi): undefined => {
    const { body, context, enforce, params } = request
    const instance = serverOf(request, nova)
    const volumeId = params.volume_id ?? ''
    const changes = atLeast(context, '2.85')
    const swaps = !changes || body.volumeId !== volumeId
    enforce(policyOf(swaps ? 'swap' : 'update'), { projectId: instance.projectId })
    if (changes) change(instance, volumeId, body, nova)
    if (!swaps) return
    nova.volumes.volume(volumeId, viewerOf(context))
    throw conflict(`volume ${volumeId} is not migrating; this API should only be called by Cinder`)
  },
})

const deleteAttachment = operation({
  method: 'DELETE',
  path: onePath,
  status: 202,
  errors: [400, 403, 404, 409],
  policy: policyOf('delete'),
  handle: (request, nova: NovaApi): undefined => {
    const instance = serverOf(request, nova)
    const volumeId = request.params.volume_id ?? ''
    checkShelved(request, instance, detachRule)
    nova.volumes.volume(volumeId, viewerOf(request.context))
    const found = nova.model.blockDevices.volume(instance.uuid, volumeId)
    if (!found) throw notAttached(instance.uuid, volumeId)
    if (found.bootIndex === 0) throw invalid('Cannot detach a root device volume')
    checkRule(instance, detachRule, callerOf(request.context))
    throw beyondHosts('detach')
  },
})

export const volumeAttachmentOperations = [listAttachments, showAttachment, createAttachment, updateAttachment, deleteAttachment]
