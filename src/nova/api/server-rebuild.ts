/**
 * `rebuild`: the same server from an image, with what else a version lets a request change.
 *
 * @see https://docs.openstack.org/api-ref/compute/#rebuild-server-rebuild-action
 */
import { invalid, overQuota } from '../../base/errors.ts'
import {
  as,
  bodies,
  closed,
  type Incoming,
  type Ladder,
  nullable,
  operation,
  principalOf,
  Reply,
  type TProperties,
  Type,
} from '../../base/http/index.ts'
import { changeRecord, checkRule, type InjectedFile, type RebuildChange, rebuildRule, rebuildServer } from '../conductor/index.ts'
import { apiConfig, type Instance, type InstanceChange } from '../model/index.ts'
import { imageObstacle, wantsNuma } from '../scheduler/index.ts'
import { bootableImage, checkPersonality, imageMetadata } from './build-request.ts'
import { callerOf, type NovaApi, viewerOf } from './deps.ts'
import { selfHref } from './links.ts'
import { anyBoolean, anyPassword, isTrue, metadataSchema, personalitySchema, trustedCertsSchema, userDataSchema } from './schemas.ts'
import { serverAction } from './server-actions.ts'
import { type Attributes, attributes, columnsOf, described, fqdn, label } from './server-update.ts'
import { rebuiltServerView } from './server-view.ts'
import { generatePassword, serverOf, shown } from './servers.ts'

type Rebuild = {
  imageRef: string
  /** Columns that the request names. */
  columns: InstanceChange
  adminPass: string | null
  metadata?: Readonly<Record<string, string>>
  personality: readonly { path: string; contents: string }[]
  preserveEphemeral: boolean
  keyName?: string | null
  trustedCerts?: readonly string[] | null
}
type Body = {
  rebuild: Attributes & {
    imageRef: string
    adminPass?: string
    metadata?: Record<string, string>
    preserve_ephemeral?: boolean | string
    personality?: Rebuild['personality']
    key_name?: string | null
    user_data?: string | null
    trusted_image_certificates?: string[] | null
  }
}

const base = {
  imageRef: Type.String({ format: 'uuid' }),
  ...attributes,
  adminPass: anyPassword,
  metadata: Type.Optional(metadataSchema),
  preserve_ephemeral: Type.Optional(anyBoolean),
}
const personality = { personality: Type.Optional(personalitySchema) }
const key = { key_name: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))) }
const userData = { user_data: Type.Optional(userDataSchema) }
const certs = { trusted_image_certificates: Type.Optional(trustedCertsSchema) }

function parse({ rebuild }: Body): Rebuild {
  return {
    imageRef: rebuild.imageRef,
    columns: { ...columnsOf(rebuild), ...(rebuild.user_data === undefined ? {} : { user_data: rebuild.user_data }) },
    adminPass: rebuild.adminPass ?? null,
    personality: rebuild.personality ?? [],
    preserveEphemeral: isTrue(rebuild.preserve_ephemeral),
    ...(rebuild.metadata === undefined ? {} : { metadata: rebuild.metadata }),
    ...(rebuild.key_name === undefined ? {} : { keyName: rebuild.key_name }),
    ...(rebuild.trusted_image_certificates === undefined ? {} : { trustedCerts: rebuild.trusted_image_certificates }),
  }
}

const rung = (properties: TProperties) =>
  as(Type.Object({ rebuild: Type.Object(properties, closed) }, closed), (body) => parse(body as Body))
const since2_57 = { ...base, ...described, ...key, ...userData }
const rungs: Ladder<Rebuild> = {
  '2.1': rung({ ...base, ...personality }),
  '2.19': rung({ ...base, ...personality, ...described }),
  '2.54': rung({ ...base, ...personality, ...described, ...key }),
  '2.57': rung(since2_57),
  '2.63': rung({ ...since2_57, ...certs }),
  '2.90': rung({ ...since2_57, ...certs, ...label }),
  '2.94': rung({ ...since2_57, ...certs, ...fqdn }),
}

type Request = Incoming<Rebuild, unknown>

/** @throws {CloudError} `invalid`, `over-quota`. */
function changeOf({ body, context }: Request, instance: Instance, nova: NovaApi) {
  const image = bootableImage(nova, body.imageRef, viewerOf(context), instance.flavor)
  if (wantsNuma(image.properties))
    throw invalid("An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this instance.")
  const home = nova.model.hosts.nodes().find(({ host }) => host === instance.host)
  const obstacle = imageObstacle(image.properties, home?.resources.traits ?? [])
  if (obstacle !== null) throw invalid(`Image ${image.id} asks for ${obstacle}, which the host of the server cannot give.`)
  const { keyName, metadata, trustedCerts } = body
  const keypair = keyName ? nova.model.keypairs.find(principalOf(context).userId, keyName) : null
  if (keyName && !keypair) throw invalid('Invalid key_name provided.')
  const limits = nova.model.quotas.limitsFor(instance.projectId, principalOf(context).userId)
  if (metadata && limits.metadata_items >= 0 && Object.keys(metadata).length > limits.metadata_items)
    throw overQuota(`Maximum number of metadata items exceeds ${limits.metadata_items}`)
  checkPersonality(body.personality, limits)
  if (body.preserveEphemeral) throw invalid('The current driver does not support preserving ephemeral partitions.')
  const change: RebuildChange = {
    columns: {
      ...body.columns,
      image_ref: image.id,
      kernel_id: image.properties.kernel_id ?? '',
      ramdisk_id: image.properties.ramdisk_id ?? '',
      ...(keyName === undefined ? {} : { key_name: keypair?.name ?? null, key_data: keypair?.publicKey ?? null }),
    },
    imageId: image.id,
    imageMetadata: imageMetadata(image),
    ...(metadata ? { metadata } : {}),
    ...(trustedCerts === undefined ? {} : { trustedCerts }),
    ...(keyName === undefined ? {} : { keypair }),
  }
  const files: InjectedFile[] = body.personality.map(({ path, contents }) => ({ path, base64: contents }))
  return { change, imageProperties: image.properties, files }
}

const rebuild = operation({
  ...serverAction,
  action: 'rebuild',
  errors: [400, 403, 404, 409],
  policy: 'os_compute_api:servers:rebuild',
  body: bodies<Rebuild>(rungs),
  handle: (request: Request, nova: NovaApi) => {
    const { body, context, enforce } = request
    const instance = serverOf(request, nova)
    if (body.trustedCerts !== undefined) enforce('os_compute_api:servers:rebuild:trusted_certs')
    checkRule(instance, rebuildRule, callerOf(context))
    const { change, imageProperties, files } = changeOf(request, instance, nova)
    const { uuid } = instance
    const adminPass = body.adminPass ?? generatePassword()
    void nova.conductor.begin(instance, rebuildRule, callerOf(context), {
      saga: rebuildServer,
      input: { uuid, host: instance.host ?? '', imageProperties, personality: files, stopped: instance.vmState === 'stopped' },
      rows: () => changeRecord(nova, uuid, change),
      secret: adminPass,
    })
    const [server] = shown(request, nova, [nova.model.instances.get(uuid)], true)
    const answered = nova.config.get(apiConfig).enableInstancePassword ? { adminPass } : {}
    return new Reply({
      headers: { Location: selfHref(context, `/servers/${uuid}`) },
      body: { server: { ...rebuiltServerView(server!, context), ...answered } },
    })
  },
})

export const serverRebuildOperations = [rebuild]
