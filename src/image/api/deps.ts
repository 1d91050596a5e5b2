/** What the handlers stand on, and the two questions that nearly all of them begin with. */
import type { Database } from '../../base/db/index.ts'
import { type Incoming, principalOf, type RequestContext, type Target } from '../../base/http/index.ts'
import type { Catalog } from '../catalog.ts'
import type { ImageFiles } from '../files.ts'
import type { Filling, FillLimits } from '../filling.ts'
import type { Image, Viewer } from '../image.ts'
import type { Members } from '../members.ts'

export type ApiLimits = FillLimits & {
  imagePropertyQuota: number
  imageTagQuota: number
  limitParamDefault: number
  apiLimitMax: number
}

export type ImageDeps = {
  db: Database
  catalog: Catalog
  members: Members
  filling: Filling
  files: ImageFiles
  limits: ApiLimits
  /** Softly in the tables, for good on the disk. */
  remove: (id: string) => Promise<void>
}

export function viewerOf(context: RequestContext): Viewer {
  const { projectId, isAdmin } = principalOf(context)
  return { projectId, isAdmin }
}

type Asked = Pick<Incoming, 'params' | 'context'>

/** The image in the path. @throws {CloudError} `not-found`, for one that the caller may not see too. */
export const imageIn = ({ params, context }: Asked, { catalog }: ImageDeps): Image => catalog.find(params.image_id ?? '', viewerOf(context))

/** Whose the image in the path is. @throws as {@link imageIn}. */
export const ownerOf = (request: Asked, deps: ImageDeps): Target => ({ projectId: imageIn(request, deps).ownerId })
