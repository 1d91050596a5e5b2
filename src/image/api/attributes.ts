/** What a client may say of an image, in a new one or in a change: shapes, names it may not touch, permissions and quotas. */
import { CloudError, forbidden, invalid, messageOf } from '../../base/errors.ts'
import { check, type Incoming, nullable, principalOf, type TSchema, Type } from '../../base/http/index.ts'
import { tooLarge } from '../filling.ts'
import { containerFormats, diskFormats, type Image, visibilities } from '../image.ts'
import type { ApiLimits } from './deps.ts'

const maxInt = 2_147_483_647
const uuidPattern = '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'

const oneOf = (values: readonly string[]) => Type.Unsafe<string>({ type: 'string', enum: [...values] })

/** Fields that every image has and a client may set. */
export const baseAttributes: Record<string, TSchema> = {
  name: nullable(Type.String({ maxLength: 255 })),
  disk_format: nullable(oneOf(diskFormats)),
  container_format: nullable(oneOf(containerFormats)),
  visibility: oneOf(visibilities),
  min_disk: Type.Integer({ minimum: 0, maximum: maxInt }),
  min_ram: Type.Integer({ minimum: 0, maximum: maxInt }),
  owner: nullable(Type.String({ maxLength: 255 })),
  protected: Type.Boolean(),
  os_hidden: Type.Boolean(),
  tags: Type.Array(Type.String({ maxLength: 255 })),
}

/** Properties of which more is known than that they are text. */
export const knownProperties: Record<string, TSchema> = {
  kernel_id: nullable(Type.String({ pattern: uuidPattern })),
  ramdisk_id: nullable(Type.String({ pattern: uuidPattern })),
}
const anyProperty = Type.String({ maxLength: 65_535 })

const newImage = Type.Object(
  {
    id: Type.Optional(Type.String({ pattern: uuidPattern })),
    ...Object.fromEntries(Object.entries({ ...baseAttributes, ...knownProperties }).map(([name, schema]) => [name, Type.Optional(schema)])),
  },
  { additionalProperties: anyProperty, propertyNames: { maxLength: 255, minLength: 1 } },
)

const readOnly = new Set([
  'created_at',
  'updated_at',
  'status',
  'checksum',
  'size',
  'virtual_size',
  'direct_url',
  'self',
  'file',
  'schema',
  'os_hash_algo',
  'os_hash_value',
  'stores',
])
const reserved = new Set(['location', 'locations', 'deleted', 'deleted_at', 'validation_data'])

/** @throws {CloudError} `forbidden` for a name that is the service's own. */
export function requireSettable(name: string): void {
  if (readOnly.has(name)) throw forbidden(`Attribute '${name}' is read-only.`)
  if (reserved.has(name)) throw forbidden(`Attribute '${name}' is reserved.`)
  if (name.startsWith('os_glance')) throw forbidden(`Attribute '${name.slice(0, 255)}' is reserved: its name begins with os_glance.`)
}

/** @throws {CloudError} `invalid`, in Glance's words. */
function checkShape(schema: TSchema, value: unknown): void {
  try {
    check(schema, value)
  } catch (error) {
    throw error instanceof CloudError ? invalid(`Provided object does not match schema 'image': ${messageOf(error)}`) : error
  }
}

/** @throws {CloudError} `invalid`, `forbidden`. */
export function checkNewImage(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('Body expected in request: a JSON object.')
  for (const name of Object.keys(body)) requireSettable(name)
  checkShape(newImage, body)
  return body as Record<string, unknown>
}

const attributeSchemas = new Map<string, TSchema>(
  Object.entries({ ...baseAttributes, ...knownProperties }).map(([name, schema]) => [name, Type.Object({ [name]: schema })]),
)
const propertySchema = Type.Object({}, { additionalProperties: anyProperty, propertyNames: { maxLength: 255, minLength: 1 } })

/** The shape of one attribute or property. @throws {CloudError} `invalid`. */
export function checkAttribute(name: string, value: unknown): void {
  checkShape(attributeSchemas.get(name) ?? propertySchema, Object.fromEntries([[name, value]]))
}

/** A name that stands for no attribute, with a value it may have. @throws {CloudError} `forbidden`, `invalid`. */
export function requireProperty(name: string, value: string): void {
  requireSettable(name)
  if (name === 'id' || Object.hasOwn(baseAttributes, name)) throw forbidden(`Attribute '${name}' is no property.`)
  checkAttribute(name, value)
}

/**
 * Whether the caller may make this of an image that was `before`.
 * @throws {CloudError} `forbidden` for visibility and ownership, `too-large` over a quota.
 */
export function requireAllowed(
  request: Pick<Incoming, 'context' | 'enforce'>,
  before: Image | null,
  after: Pick<Image, 'visibility' | 'ownerId' | 'properties' | 'tags'>,
  limits: ApiLimits,
): void {
  const principal = principalOf(request.context)
  const target = { projectId: after.ownerId }
  if (after.ownerId !== (before ? before.ownerId : principal.projectId) && !principal.isAdmin)
    throw forbidden(
      before
        ? "You are not permitted to change this image's owner."
        : `You are not permitted to create images owned by '${after.ownerId}'.`,
    )
  if (after.visibility !== before?.visibility) {
    if (after.visibility === 'public') request.enforce('publicize_image', target)
    if (after.visibility === 'community') request.enforce('communitize_image', target)
  }
  requireQuota(
    'properties',
    Object.keys(after.properties).length,
    before ? Object.keys(before.properties).length : 0,
    limits.imagePropertyQuota,
  )
  requireQuota('tags', after.tags.length, before?.tags.length ?? 0, limits.imageTagQuota)
}

/** What is over the quota already may shrink. @throws {CloudError} `too-large`. */
export function requireQuota(what: string, wanted: number, had: number, quota: number): void {
  if (quota >= 0 && wanted > quota && wanted > had)
    throw tooLarge(`The limit has been exceeded on the number of allowed image ${what}. Attempted: ${wanted}, Maximum: ${quota}`)
}
