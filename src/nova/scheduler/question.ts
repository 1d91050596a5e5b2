/**
 * What placement is asked for a server, and what its aggregates say of the project: the request filters that Nova applies
 * before any host is looked at.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#prefilters
 */
import { CloudError } from '../../base/errors.ts'
import type { Candidate, CandidateRequest, Placement } from '../../placement/index.ts'
import { type Aggregate, type ComputeNode, type Flavor, type Model, type Rejection, resourcesOf, traitsOf } from '../model/index.ts'
import type { ScheduleRequest } from './host-state.ts'
import { guestTraits } from './unmet-demands.ts'

type Asked = { readonly projectId: string; readonly flavor: Flavor; readonly imageProperties: Readonly<Record<string, string>> }
type Prefilters = {
  readonly maxPlacementResults: number
  readonly limitTenantsToPlacementAggregate: boolean
  readonly placementAggregateRequiredForTenants: boolean
  readonly queryPlacementForImageTypeSupport: boolean
  readonly enableIsolatedAggregateFiltering: boolean
  readonly imageMetadataPrefilter: boolean
}

const tenantKey = 'filter_tenant_id'
const disabledTrait = 'COMPUTE_STATUS_DISABLED'

export function questionOf({ flavor, imageProperties }: Asked, diskFormat: string | undefined, options: Prefilters): CandidateRequest {
  const { required, forbidden } = traitsOf(flavor)
  const imageTraits = Object.entries(imageProperties).flatMap(([key, value]) =>
    key.startsWith('trait:') && value === 'required' ? [key.slice('trait:'.length)] : [],
  )
  const type = options.queryPlacementForImageTypeSupport && diskFormat ? [`COMPUTE_IMAGE_TYPE_${diskFormat.toUpperCase()}`] : []
  const wanted = guestTraits(flavor.extraSpecs, imageProperties, { prefilter: options.imageMetadataPrefilter })
  return {
    resources: resourcesOf(flavor),
    required: [...new Set([...required, ...imageTraits, ...type, ...wanted])],
    forbidden: [...forbidden, disabledTrait],
    memberOf: [],
    limit: options.maxPlacementResults,
  }
}

export type Answer = {
  readonly candidates: ReadonlyMap<string, Candidate>
  /** Why the question cannot be answered at all. */
  readonly refusal: string | null
}

/** A trait or resource class that nobody has made is one that no host has. */
export function ask(placement: Placement, question: CandidateRequest): Answer {
  try {
    const found = placement.candidates(question)
    return { candidates: new Map(found.map((candidate) => [candidate.providerUuid, candidate])), refusal: null }
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'invalid') throw error
    return { candidates: new Map(), refusal: error.message }
  }
}

export function placementRefusal(node: ComputeNode, placement: Placement, question: CandidateRequest, refusal: string | null): Rejection {
  const reasons = refusal === null ? placement.explain({ ...question, inTree: node.uuid }) : [refusal]
  return { host: node.host, filter: filterOf(reasons, refusal !== null), reason: reasons.join('; ') || 'not enough room' }
}

function filterOf(reasons: readonly string[], isUnknown: boolean): string {
  if (reasons.length > 0 && reasons.every((reason) => /\b(lacks|has) [A-Z]|\b[Tt]raits?\b/.test(reason))) return 'TraitFilter'
  return isUnknown ? 'ResourceClass' : 'Placement'
}

/** What aggregates say of the project and of traits, by what the operator has switched on. */
export function isolationOf(
  { projectId }: Asked,
  aggregates: readonly Aggregate[],
  requiredTraits: readonly string[],
  options: Prefilters,
): Pick<ScheduleRequest, 'tenantAggregates' | 'isolatingTraits'> {
  const isFor = ({ metadata }: Aggregate) =>
    Object.entries(metadata).some(([key, value]) => key.startsWith(tenantKey) && value === projectId)
  const own = new Set(options.limitTenantsToPlacementAggregate ? aggregates.filter(isFor).map(({ id }) => id) : [])
  const isLimited = options.limitTenantsToPlacementAggregate && (own.size > 0 || options.placementAggregateRequiredForTenants)
  return {
    tenantAggregates: isLimited ? own : null,
    isolatingTraits: options.enableIsolatedAggregateFiltering ? new Set(requiredTraits) : null,
  }
}

/** Counts when it is first asked: only a weigher that is off by default wants to know. */
export function likeImagesOn(model: Model, except: string): ScheduleRequest['likeImages'] {
  let counts: Map<string, number> | null = null
  const count = () => {
    const found = new Map<string, number>()
    const servers = model.instances.onHost(null).filter(({ uuid, host }) => uuid !== except && host !== null)
    for (const { host, imageProperties } of servers) {
      for (const [name, value] of Object.entries(imageProperties)) {
        const key = `${host} ${name}=${value}`
        found.set(key, (found.get(key) ?? 0) + 1)
      }
    }
    return found
  }
  return (host, property) => {
    counts ??= count()
    return counts.get(`${host} ${property}`) ?? 0
  }
}
