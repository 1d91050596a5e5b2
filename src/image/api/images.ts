/**
 * Images: create, list, show, delete.
 * @see https://docs.openstack.org/api-ref/image/v2/#images
 */
import { forbidden } from '../../base/errors.ts'
import { operation, principalOf, Reply } from '../../base/http/index.ts'
import type { Image, NewImage, Visibility } from '../image.ts'
import { listImages } from '../list.ts'
import { baseAttributes, checkNewImage, requireAllowed } from './attributes.ts'
import { type ImageDeps, imageIn, ownerOf, viewerOf } from './deps.ts'
import { parseListQuery } from './query.ts'
import { showImage } from './view.ts'

/** Bytes; an image may have many and long properties. */
export const imageBodyLimit = 1024 * 1024

/** Import methods that this cloud has: the client puts the bytes up itself and then asks for them to be taken. */
export const importMethods = ['glance-direct']

/** @throws {CloudError} `invalid`, `forbidden`. */
function toNewImage(body: unknown, ownProjectId: string | null): NewImage & Pick<Image, 'tags'> {
  const said = checkNewImage(body)
  const properties: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(said))
    if (name !== 'id' && !Object.hasOwn(baseAttributes, name) && typeof value === 'string') properties[name] = value
  const given = <T>(name: string, otherwise: T): T => (Object.hasOwn(said, name) ? (said[name] as T) : otherwise)
  return {
    ...(typeof said.id === 'string' ? { id: said.id } : {}),
    name: given('name', null),
    diskFormat: given('disk_format', null),
    containerFormat: given('container_format', null),
    visibility: given<Visibility>('visibility', 'shared'),
    ownerId: given('owner', ownProjectId),
    minDiskGib: given('min_disk', 0),
    minRamMib: given('min_ram', 0),
    protected: given('protected', false),
    hidden: given('os_hidden', false),
    tags: [...new Set(given<string[]>('tags', []))],
    properties,
  }
}

export const createImage = operation({
  method: 'POST',
  path: '/images',
  status: 201,
  errors: [400, 403, 409, 413],
  policy: 'add_image',
  bodyLimit: imageBodyLimit,
  handle: (request, deps: ImageDeps) => {
    const wanted = toNewImage(request.body, principalOf(request.context).projectId)
    requireAllowed(request, null, wanted, deps.limits)
    const image = deps.catalog.create(wanted)
    return new Reply({
      status: 201,
      headers: {
        Location: `${request.context.baseUrl}/images/${image.id}`,
        'OpenStack-image-import-methods': importMethods.join(','),
      },
      body: showImage(image),
    })
  },
})

export const indexImages = operation({
  method: 'GET',
  path: '/images',
  status: 200,
  errors: [400, 403],
  policy: 'get_images',
  handle: ({ search, context }, { db, catalog, limits }: ImageDeps) => {
    const query = parseListQuery(search, limits)
    const images = listImages(db, catalog, query, viewerOf(context))
    const first = new URLSearchParams(search)
    first.delete('marker')
    const page = (params: URLSearchParams) => `/v2/images${params.size > 0 ? `?${params}` : ''}`
    const last = images.length === query.limit ? images.at(-1) : undefined
    const next = new URLSearchParams(first)
    if (last) next.set('marker', last.id)
    return {
      images: images.map(showImage),
      first: page(first),
      ...(last ? { next: page(next) } : {}),
      schema: '/v2/schemas/images',
    }
  },
})

export const showOneImage = operation({
  method: 'GET',
  path: '/images/{image_id}',
  status: 200,
  errors: [403, 404],
  policy: 'get_image',
  view: showImage,
  handle: (request, deps: ImageDeps) => imageIn(request, deps),
})

export const deleteImage = operation({
  method: 'DELETE',
  path: '/images/{image_id}',
  status: 204,
  errors: [403, 404],
  policy: 'delete_image',
  target: ownerOf,
  handle: async (request, deps: ImageDeps) => {
    const image = imageIn(request, deps)
    if (image.protected) throw forbidden(`Image ${image.id} is protected and cannot be deleted.`)
    await deps.remove(image.id)
  },
})
