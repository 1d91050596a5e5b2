/**
 * Claims as they come over the wire, rung by rung: a list of providers before 1.12, an object keyed by them since; project and
 * user since 1.8, the consumer's generation since 1.28, its type since 1.38.
 *
 * @see https://docs.openstack.org/api-ref/placement/#update-allocations
 */
import { closed, nullable, type TProperties, Type } from '../../base/http/index.ts'
import type { Holding } from '../allocations.ts'
import { canonicalUuid } from './filters.ts'

const uuidKey = '^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$'
const amounts = Type.Record(Type.String({ pattern: '^[A-Z0-9_]{1,255}$' }), Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), {
  ...closed,
  minProperties: 1,
})
const external = Type.String({ minLength: 1, maxLength: 255 })
const owner = { project_id: external, user_id: external }
const consumerGeneration = { consumer_generation: nullable(Type.Integer()) }
const consumerType = { consumer_type: Type.String({ pattern: '^[A-Z0-9_]+$', minLength: 1, maxLength: 255 }) }
const mappings = {
  mappings: Type.Optional(
    Type.Record(
      Type.String({ pattern: '^[a-zA-Z0-9_-]{0,64}$' }),
      Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, uniqueItems: true }),
      {
        ...closed,
      },
    ),
  ),
}

const list = Type.Array(
  Type.Object({ resource_provider: Type.Object({ uuid: Type.String({ format: 'uuid' }) }, closed), resources: amounts }, closed),
  { minItems: 1 },
)
const dict = (minProperties: number) =>
  Type.Record(Type.String({ pattern: uuidKey }), Type.Object({ generation: Type.Optional(Type.Integer()), resources: amounts }, closed), {
    ...closed,
    minProperties,
  })
const object = (properties: TProperties) => Type.Object(properties, closed)

/** Bodies of one consumer, by the version that brought them. */
export const oneConsumer = {
  '1.0': object({ allocations: list }),
  '1.8': object({ allocations: list, ...owner }),
  '1.12': object({ allocations: dict(1), ...owner }),
  '1.28': object({ allocations: dict(0), ...owner, ...consumerGeneration }),
  '1.34': object({ allocations: dict(0), ...owner, ...consumerGeneration, ...mappings }),
  '1.38': object({ allocations: dict(0), ...owner, ...consumerGeneration, ...mappings, ...consumerType }),
}

const keyed = (properties: TProperties) =>
  Type.Record(Type.String({ pattern: uuidKey }), object(properties), { ...closed, minProperties: 1 })

/** Bodies of several consumers, keyed by them. */
export const manyConsumers = {
  '1.13': keyed({ allocations: dict(0), ...owner }),
  '1.28': keyed({ allocations: dict(0), ...owner, ...consumerGeneration }),
  '1.34': keyed({ allocations: dict(0), ...owner, ...consumerGeneration, ...mappings }),
  '1.38': keyed({ allocations: dict(0), ...owner, ...consumerGeneration, ...mappings, ...consumerType }),
}

type WireClaim = {
  allocations:
    | { resource_provider: { uuid: string }; resources: Record<string, number> }[]
    | Record<string, { resources: Record<string, number> }>
  project_id?: string
  user_id?: string
  consumer_generation?: number | null
  consumer_type?: string
}

/** A claim without its consumer's uuid, which stands in the path or is a key. */
export type WrittenClaim = {
  holdings: Holding[]
  projectId: string | undefined
  userId: string | undefined
  generation: number | null | undefined
  type: string | undefined
}

export function writtenClaim(wire: WireClaim): WrittenClaim {
  const { allocations } = wire
  const holdings = Array.isArray(allocations)
    ? allocations.map(({ resource_provider, resources }) => ({ providerUuid: canonicalUuid(resource_provider.uuid), resources }))
    : Object.entries(allocations).map(([uuid, { resources }]) => ({ providerUuid: canonicalUuid(uuid), resources }))
  return { holdings, projectId: wire.project_id, userId: wire.user_id, generation: wire.consumer_generation, type: wire.consumer_type }
}

export const writtenClaims = (wire: Record<string, WireClaim>): Map<string, WrittenClaim> =>
  new Map(Object.entries(wire).map(([uuid, claim]) => [canonicalUuid(uuid), writtenClaim(claim)]))
