/**
 * Changes of an image: JSON patch, in the full form (v2.1) and the older short one (v2.0), which is the same but for its
 * spelling and for refusing to add what is there.
 *
 * @see https://docs.openstack.org/api-ref/image/v2/#update-image
 */
import { CloudError, conflict, forbidden, invalid } from '../../base/errors.ts'
import { operation } from '../../base/http/index.ts'
import type { Image, Visibility } from '../image.ts'
import { baseAttributes, checkAttribute, requireAllowed, requireSettable } from './attributes.ts'
import { type ImageDeps, imageIn, ownerOf } from './deps.ts'
import { imageBodyLimit } from './images.ts'
import { showImage } from './view.ts'

type Change = { op: 'add' | 'replace' | 'remove'; name: string; value: unknown; isOldForm: boolean }

const mediaTypes = ['application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch']
const ops = ['add', 'replace', 'remove'] as const
const maxChanges = 1000

/** @throws {CloudError} `unsupported-media`. */
function isOldForm(contentType: string | undefined): boolean {
  const media = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (!mediaTypes.includes(media))
    throw new CloudError('unsupported-media', `Content-Type must be ${mediaTypes.join(' or ')}; it is '${media.slice(0, 80)}'.`)
  return media === mediaTypes[1]
}

/** `/name` → `name`. @throws {CloudError} `invalid`, `forbidden` for what lies in an attribute of the service's own. */
function attributeName(pointer: unknown): string {
  if (typeof pointer !== 'string') throw invalid('Unable to find a path, a text, in a JSON patch change.')
  const shown = pointer.slice(0, 255)
  if (!pointer.startsWith('/')) throw invalid(`Pointer \`${shown}\` does not start with "/".`)
  if (/~(?![01])/.test(pointer)) throw invalid(`Pointer \`${shown}\` contains "~" not part of a recognized escape sequence.`)
  const segments = pointer.slice(1).split('/')
  if (segments.some((segment) => segment === '')) throw invalid(`Pointer \`${shown}\` has an empty part.`)
  const name = segments[0]!.replaceAll('~1', '/').replaceAll('~0', '~')
  requireSettable(name)
  if (segments.length > 1) throw invalid(`Invalid JSON pointer for this resource: '${shown}'`)
  if (name === 'id') throw forbidden("Attribute 'id' is read-only.")
  return name
}

/** @throws {CloudError} `invalid`, `forbidden`. */
function parseChanges(body: unknown, old: boolean): Change[] {
  if (!Array.isArray(body)) throw invalid('Request body must be a JSON array of operation objects.')
  if (body.length > maxChanges) throw invalid(`A patch has at most ${maxChanges} changes.`)
  return body.map((raw: unknown) => {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw invalid('Operations must be JSON objects.')
    const said = raw as Record<string, unknown>
    const named = ops.filter((op) => Object.hasOwn(said, op))
    const op = old ? (named.length === 1 ? named[0] : undefined) : ops.find((candidate) => candidate === said.op)
    if (!op) throw invalid(`Operations must be one of ${ops.join(', ')}, one in a change.`)
    const name = attributeName(old ? said[op] : said.path)
    if (op !== 'remove' && !Object.hasOwn(said, 'value')) throw invalid(`Operation "${op}" requires a member named "value".`)
    if (op !== 'remove') checkAttribute(name, said.value)
    return { op, name, value: said.value, isOldForm: old }
  })
}

/** Sets a field that every image has; the shape has been checked. @throws {CloudError} `forbidden`. */
function setField(draft: Image, name: string, value: unknown): void {
  switch (name) {
    case 'name':
      draft.name = value as string | null
      break
    case 'disk_format':
    case 'container_format':
      if (draft.status !== 'queued') throw forbidden(`Attribute ${name} can be only replaced for a queued image.`)
      if (name === 'disk_format') draft.diskFormat = value as string | null
      else draft.containerFormat = value as string | null
      break
    case 'visibility':
      draft.visibility = value as Visibility
      break
    case 'min_disk':
      draft.minDiskGib = value as number
      break
    case 'min_ram':
      draft.minRamMib = value as number
      break
    case 'owner':
      draft.ownerId = value as string | null
      break
    case 'protected':
      draft.protected = value as boolean
      break
    case 'os_hidden':
      draft.hidden = value as boolean
      break
    case 'tags':
      draft.tags = [...new Set(value as string[])]
      break
  }
}

/** @throws {CloudError} `forbidden`, `conflict` for a property that is not there, or is and should not. */
function apply(draft: Image, { op, name, value, isOldForm: old }: Change): void {
  if (Object.hasOwn(baseAttributes, name)) {
    if (op === 'remove') throw forbidden(`Property ${name} may not be removed.`)
    setField(draft, name, value)
    return
  }
  const isThere = Object.hasOwn(draft.properties, name)
  if (op === 'add' ? old && isThere : !isThere) throw conflict(`Property ${name} ${isThere ? 'already present' : 'does not exist'}.`)
  if (op === 'remove' || value === null) delete draft.properties[name]
  else draft.properties[name] = value as string
}

export const updateImage = operation({
  method: 'PATCH',
  path: '/images/{image_id}',
  status: 200,
  errors: [400, 403, 404, 409, 413],
  policy: 'modify_image',
  target: ownerOf,
  bodyLimit: imageBodyLimit,
  view: showImage,
  handle: (request, deps: ImageDeps) => {
    const changes = parseChanges(request.body, isOldForm(request.header('content-type')))
    const image = imageIn(request, deps)
    const draft: Image = { ...image, properties: Object.assign(Object.create(null), image.properties) }
    for (const change of changes) apply(draft, change)
    requireAllowed(request, image, draft, deps.limits)
    return changes.length === 0 ? image : deps.catalog.save(image, draft)
  },
})
