/** Tags one by one, deactivation and its end, and where the bytes lie. @see https://docs.openstack.org/api-ref/image/v2/ */
import { forbidden, invalid, notFound } from '../../base/errors.ts'
import { operation } from '../../base/http/index.ts'
import type { Image, ImageStatus } from '../image.ts'
import { requireQuota } from './attributes.ts'
import { type ImageDeps, imageIn, ownerOf } from './deps.ts'

export const addTag = operation({
  method: 'PUT',
  path: '/images/{image_id}/tags/{tag}',
  status: 204,
  errors: [400, 403, 404, 413],
  policy: 'modify_image',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => {
    const image = imageIn(request, deps)
    const tag = request.params.tag ?? ''
    if (tag.length > 255) throw invalid('Invalid image tag: it is longer than 255 characters.')
    if (image.tags.includes(tag)) return
    requireQuota('tags', image.tags.length + 1, image.tags.length, deps.limits.imageTagQuota)
    deps.catalog.save(image, { ...image, tags: [...image.tags, tag] })
  },
})

export const deleteTag = operation({
  method: 'DELETE',
  path: '/images/{image_id}/tags/{tag}',
  status: 204,
  errors: [403, 404],
  policy: 'modify_image',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => {
    const image = imageIn(request, deps)
    const tag = request.params.tag ?? ''
    if (!image.tags.includes(tag)) throw notFound(`Image ${image.id} has no tag ${tag.slice(0, 255)}.`)
    deps.catalog.save(image, { ...image, tags: image.tags.filter((other) => other !== tag) })
  },
})

/** @throws {CloudError} `forbidden` from another status. */
function turn({ catalog }: ImageDeps, image: Image, from: ImageStatus, to: ImageStatus): void {
  if (image.status === to) return
  if (!catalog.move(image.id, [from], to)) throw forbidden(`Image status transition from ${image.status} to ${to} is not allowed`)
}

export const deactivateImage = operation({
  method: 'POST',
  path: '/images/{image_id}/actions/deactivate',
  status: 204,
  errors: [403, 404],
  policy: 'deactivate',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => turn(deps, imageIn(request, deps), 'active', 'deactivated'),
})

export const reactivateImage = operation({
  method: 'POST',
  path: '/images/{image_id}/actions/reactivate',
  status: 204,
  errors: [403, 404],
  policy: 'reactivate',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => turn(deps, imageIn(request, deps), 'deactivated', 'active'),
})

export const indexLocations = operation({
  method: 'GET',
  path: '/images/{image_id}/locations',
  status: 200,
  errors: [403, 404],
  policy: 'fetch_image_location',
  handle: (request, deps: ImageDeps) => {
    const { id, sizeBytes } = imageIn(request, deps)
    return sizeBytes === null ? [] : [{ url: `file://${deps.files.path(id)}`, metadata: { store: 'file' } }]
  },
})
