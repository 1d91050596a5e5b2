/**
 * Images through Compute, as clients of versions up to 2.35 ask for them; their metadata up to 2.38.
 *
 * @see https://docs.openstack.org/api-ref/compute/#images-deprecated
 */
import { isoSeconds } from '../../base/clock.ts'
import { forbidden, invalid, notFound, overQuota } from '../../base/errors.ts'
import { type Incoming, operation, type RequestContext, view } from '../../base/http/index.ts'
import type { Image, ImageStatus, ListQuery } from '../../image/index.ts'
import { apiConfig, saysYes } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { type Link, links, nextLink } from './links.ts'
import { checkNamedItem, merged, metadataBody, metadataItemBody, type Pairs, without } from './metadata.ts'
import { limitOf } from './paging.ts'

const until = '2.35'
const untilMetadata = '2.38'

const statuses: Partial<Record<ImageStatus, { shown: string; progress: number }>> = {
  active: { shown: 'ACTIVE', progress: 100 },
  queued: { shown: 'SAVING', progress: 25 },
  saving: { shown: 'SAVING', progress: 50 },
  uploading: { shown: 'SAVING', progress: 50 },
  importing: { shown: 'SAVING', progress: 50 },
  deleted: { shown: 'DELETED', progress: 0 },
}
const unknown = { shown: 'UNKNOWN', progress: 0 }
const stateOf = ({ status }: Image) => statuses[status] ?? unknown

const imageLinks = ({ id }: Image, context: RequestContext) => [
  ...links(context, `/images/${id}`),
  { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${context.origin}/image/v2/images/${id}` },
]

const summary = view<Image>({ id: ({ id }) => id, name: ({ name }) => name, links: imageLinks })

const diskConfig = ({ properties }: Image): string | undefined =>
  properties.auto_disk_config === undefined ? undefined : saysYes(properties.auto_disk_config) ? 'AUTO' : 'MANUAL'

const whole = view<Image>({
  id: ({ id }) => id,
  name: ({ name }) => name,
  minRam: ({ minRamMib }) => minRamMib,
  minDisk: ({ minDiskGib }) => minDiskGib,
  metadata: ({ properties }) => properties,
  created: ({ createdAt }) => isoSeconds(createdAt),
  updated: ({ updatedAt }) => isoSeconds(updatedAt),
  status: (image) => stateOf(image).shown,
  progress: (image) => stateOf(image).progress,
  'OS-EXT-IMG-SIZE:size': ({ sizeBytes }) => sizeBytes ?? 0,
  'OS-DCF:diskConfig': diskConfig,
  links: imageLinks,
})

/** Compute's filters as the image service's. @throws {CloudError} `invalid`. */
function toListQuery(search: URLSearchParams, limit: number): ListQuery {
  const query: ListQuery = {
    filters: [],
    visibility: null,
    memberStatus: 'accepted',
    hidden: false,
    sort: [{ key: 'created_at', isDescending: true }],
    limit,
    marker: search.get('marker'),
  }
  const number = (name: string, text: string): number => {
    if (!/^\d{1,9}$/.test(text)) throw invalid(`Invalid ${name} filter [${text.slice(0, 64)}]`)
    return Number(text)
  }
  for (const [name, value] of search) {
    if (name === 'name') query.filters.push({ is: 'text', column: 'name', anyOf: [value] })
    else if (name === 'minRam') query.filters.push({ is: 'number', column: 'min_ram', comparison: '=', value: number(name, value) })
    else if (name === 'minDisk') query.filters.push({ is: 'number', column: 'min_disk', comparison: '=', value: number(name, value) })
    else if (name === 'status') {
      const wanted = Object.keys(statuses).filter((status) => statuses[status as ImageStatus]?.shown === value.toUpperCase())
      query.filters.push({ is: 'text', column: 'status', anyOf: wanted })
    } else if (name.startsWith('property-')) query.filters.push({ is: 'property', name: name.slice('property-'.length), value })
  }
  return query
}

const listOf =
  (path: string, show: typeof whole) =>
  ({ context, search }: Incoming, { images, config }: NovaApi): { images: unknown[]; images_links?: Link[] } => {
    const { maxLimit } = config.get(apiConfig)
    const limit = limitOf(search, maxLimit) || maxLimit
    const found = images.list(toListQuery(search, limit), viewerOf(context))
    const last = found.length === limit ? found.at(-1) : undefined
    return {
      images: found.map((image) => show(image, context)),
      ...(last ? { images_links: [nextLink(context, path, Object.fromEntries(search), last.id)] } : {}),
    }
  }

const listImages = operation({ method: 'GET', path: '/images', until, status: 200, errors: [400, 403], handle: listOf('/images', summary) })

const detailImages = operation({
  method: 'GET',
  path: '/images/detail',
  until,
  status: 200,
  errors: [400, 403],
  handle: listOf('/images/detail', whole),
})

/** @throws {CloudError} `not-found`. */
function imageIn({ params, context }: Incoming<unknown>, { images }: NovaApi): Image {
  const found = images.get(params.image_id ?? '', viewerOf(context))
  if (!found) throw notFound('Image not found.')
  return found
}

/** @throws {CloudError} `not-found`, `forbidden` for an image that is another's. */
function toChange(request: Incoming<unknown>, nova: NovaApi): Image {
  const image = imageIn(request, nova)
  const { projectId, isAdmin } = viewerOf(request.context)
  if (!isAdmin && (projectId === null || image.ownerId !== projectId)) throw forbidden('You are not allowed to change this image.')
  return image
}

const showImage = operation({
  method: 'GET',
  path: '/images/{image_id}',
  until,
  status: 200,
  errors: [403, 404],
  handle: (request: Incoming, nova: NovaApi) => ({ image: whole(imageIn(request, nova), request.context) }),
})

const deleteImage = operation({
  method: 'DELETE',
  path: '/images/{image_id}',
  until,
  status: 204,
  errors: [403, 404],
  handle: async (request: Incoming, nova: NovaApi) => {
    const image = toChange(request, nova)
    if (image.protected) throw forbidden('You are not allowed to delete the image.')
    await nova.images.remove(image.id)
  },
})

const noItem = () => notFound('Image metadata item was not found')

function save({ id, ownerId }: Image, properties: Pairs, { images, model }: NovaApi): Pairs {
  const limit = model.quotas.limits(ownerId ?? '').metadata_items
  if (limit >= 0 && Object.keys(properties).length > limit) throw overQuota('Image metadata limit exceeded')
  return images.setProperties(id, properties).properties
}

const metadataPath = '/images/{image_id}/metadata'
const itemPath = '/images/{image_id}/metadata/{key}'

const listMetadata = operation({
  method: 'GET',
  path: metadataPath,
  until: untilMetadata,
  status: 200,
  errors: [403, 404],
  handle: (request: Incoming, nova: NovaApi) => ({ metadata: imageIn(request, nova).properties }),
})

const createMetadata = operation({
  method: 'POST',
  path: metadataPath,
  until: untilMetadata,
  status: 200,
  errors: [400, 403, 404],
  body: metadataBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    const image = toChange(request, nova)
    return { metadata: save(image, merged(image.properties, request.body), nova) }
  },
})

const replaceMetadata = operation({
  method: 'PUT',
  path: metadataPath,
  until: untilMetadata,
  status: 200,
  errors: [400, 403, 404],
  body: metadataBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => ({ metadata: save(toChange(request, nova), request.body, nova) }),
})

const showItem = operation({
  method: 'GET',
  path: itemPath,
  until: untilMetadata,
  status: 200,
  errors: [403, 404],
  handle: (request: Incoming, nova: NovaApi) => {
    const key = request.params.key ?? ''
    const { properties } = imageIn(request, nova)
    if (!Object.hasOwn(properties, key)) throw noItem()
    return { meta: { [key]: properties[key] } }
  },
})

const setItem = operation({
  method: 'PUT',
  path: itemPath,
  until: untilMetadata,
  status: 200,
  errors: [400, 403, 404],
  body: metadataItemBody,
  handle: (request: Incoming<Pairs>, nova: NovaApi) => {
    checkNamedItem(request)
    const image = toChange(request, nova)
    save(image, merged(image.properties, request.body), nova)
    return { meta: request.body }
  },
})

const deleteItem = operation({
  method: 'DELETE',
  path: itemPath,
  until: untilMetadata,
  status: 204,
  errors: [403, 404],
  handle: (request: Incoming, nova: NovaApi) => {
    const key = request.params.key ?? ''
    const image = toChange(request, nova)
    if (!Object.hasOwn(image.properties, key)) throw noItem()
    nova.images.setProperties(image.id, without(image.properties, key))
  },
})

export const imageOperations = [
  listImages,
  detailImages,
  showImage,
  deleteImage,
  listMetadata,
  createMetadata,
  replaceMetadata,
  showItem,
  setItem,
  deleteItem,
]
