/** What the Compute API's handlers are given. */
import type { Ground } from '../../base/ground.ts'
import { type Principal, principalOf, type RequestContext } from '../../base/http/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Images } from '../../image/index.ts'
import type { Networks } from '../../network/index.ts'
import type { Placement } from '../../placement/index.ts'
import type { Caller, Conductor } from '../conductor/index.ts'
import type { Consoles } from '../console/index.ts'
import type { InstanceViewer, Model } from '../model/index.ts'
import type { VolumeService } from './volume-service.ts'

export type NovaApi = Ground & {
  readonly model: Model
  readonly conductor: Conductor
  readonly images: Images
  readonly networks: Networks
  readonly placement: Placement
  readonly identity: Pick<Identity, 'project'>
  readonly consoles: Consoles
  readonly volumes: VolumeService
}

/** Who asks, as the conductor records it. */
export function callerOf(context: RequestContext): Caller {
  const { userId, projectId, isAdmin } = principalOf(context)
  return { requestId: context.requestId, userId, projectId, isAdmin }
}

/** Whose servers the request may see. */
export const viewerOf = (context: RequestContext): NonNullable<InstanceViewer> => {
  const { projectId, isAdmin }: Principal = principalOf(context)
  return { projectId, isAdmin }
}
