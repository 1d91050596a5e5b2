/**
 * An image's bytes: upload, download, and the two steps of an import.
 * @see https://docs.openstack.org/api-ref/image/v2/#image-data
 */
import { CloudError, conflict, forbidden, invalid, unavailable } from '../../base/errors.ts'
import { as, ByteStream, bodies, type Incoming, operation, principalOf, Reply, Type } from '../../base/http/index.ts'
import { readSlice } from '../files.ts'
import { type ImageDeps, imageIn, ownerOf } from './deps.ts'
import { importMethods } from './images.ts'

/** @throws {CloudError} `unsupported-media`. */
function requireBytes({ header }: Pick<Incoming, 'header'>): void {
  const media = (header('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  if (media !== 'application/octet-stream')
    throw new CloudError('unsupported-media', `Content-Type must be application/octet-stream; it is '${media?.slice(0, 80)}'.`)
}

export const uploadImage = operation({
  method: 'PUT',
  path: '/images/{image_id}/file',
  status: 204,
  errors: [400, 403, 404, 409, 410, 413],
  policy: 'upload_image',
  target: ownerOf,
  stream: true,
  handle: async (request, deps: ImageDeps) => {
    requireBytes(request)
    await deps.filling.fill(imageIn(request, deps).id, request.stream(), request.contentLength)
  },
})

export const stageImage = operation({
  method: 'PUT',
  path: '/images/{image_id}/stage',
  status: 204,
  errors: [400, 403, 404, 409, 410, 413],
  policy: 'stage_image',
  target: ownerOf,
  stream: true,
  handle: async (request, deps: ImageDeps) => {
    requireBytes(request)
    await deps.filling.stage(imageIn(request, deps).id, request.stream(), request.contentLength)
  },
})

const importBody = Type.Object({ method: Type.Object({ name: Type.String() }) })

export const importImage = operation({
  method: 'POST',
  path: '/images/{image_id}/import',
  status: 202,
  errors: [400, 403, 404, 409],
  policy: 'import_image',
  target: ownerOf,
  body: bodies<{ method: { name: string } }>({ '0.0': as(importBody) }),
  handle: (request, deps: ImageDeps) => {
    const method = request.body.method.name
    if (!importMethods.includes(method))
      throw invalid(`Import method ${method.slice(0, 64)} is not enabled here; there is ${importMethods.join(', ')}.`)
    const image = imageIn(request, deps)
    if (image.status !== 'uploading') throw conflict(`Image ${image.id} has status ${image.status}: stage its data first.`)
    deps.filling.importStaged(image.id)
  },
})

type Slice = { start: number; end: number }

/** One range of bytes, inclusive; `null` for what cannot be satisfied. @see https://www.rfc-editor.org/rfc/rfc9110#name-range */
function parseRange(header: string, size: number): Slice | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim())
  const [first = '', last = ''] = match?.slice(1) ?? []
  if (!match || (first === '' && last === '')) return null
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start < size && start <= end ? { start, end } : null
}

export const downloadImage = operation({
  method: 'GET',
  path: '/images/{image_id}/file',
  status: 200,
  errors: [403, 404, 416],
  policy: 'download_image',
  handle: async (request, deps: ImageDeps) => {
    const image = imageIn(request, deps)
    if (image.status === 'deactivated' && !principalOf(request.context).isAdmin)
      throw forbidden(`The requested image ${image.id} has been deactivated. Image data download is forbidden.`)
    if (image.status !== 'active' && image.status !== 'deactivated') return new Reply({ status: 204 })
    const path = deps.files.path(image.id)
    const size = await deps.files.sizeOf(image.id)
    if (size === null || size !== image.sizeBytes) throw unavailable(`The data of image ${image.id} is missing or damaged.`)
    const range = request.header('range')
    if (range === undefined) {
      const headers: Record<string, string> = image.checksum === null ? {} : { 'Content-MD5': image.checksum }
      return new Reply({ headers, body: new ByteStream(readSlice(path, 0, size - 1), size) })
    }
    const slice = parseRange(range, size)
    if (!slice)
      return new Reply({
        status: 416,
        headers: { 'Content-Range': `bytes */${size}`, 'Content-Type': 'text/html; charset=UTF-8' },
        body: `The image has ${size} bytes; one range within them can be asked for.`,
      })
    return new Reply({
      status: 206,
      headers: { 'Content-Range': `bytes ${slice.start}-${slice.end}/${size}` },
      body: new ByteStream(readSlice(path, slice.start, slice.end), slice.end - slice.start + 1),
    })
  },
})
