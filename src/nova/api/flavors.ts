/**
 * Flavors: list, show, create, describe, delete.
 *
 * There are few flavors: they are read whole, then filtered, sorted and cut into pages here.
 *
 * @see https://docs.openstack.org/api-ref/compute/#flavors
 */
import { randomUUID } from 'node:crypto'
import { invalid } from '../../base/errors.ts'
import {
  addFormat,
  as,
  bodies,
  closed,
  type Incoming,
  operation,
  principalOf,
  type RequestContext,
  type Shown,
  type Static,
  type TSchema,
  Type,
} from '../../base/http/index.ts'
import { apiConfig, booleanWord, type Flavor, type FlavorViewer, type NewFlavor } from '../model/index.ts'
import { type NovaApi, viewerOf } from './deps.ts'
import { flavorSummary, flavorView, type ShownFlavor } from './flavor-view.ts'
import { anyText, type Known, knownQuery, noQuery, pageNames, pageSize } from './known-query.ts'
import { type Link, nextLink } from './links.ts'
import { pageOf } from './paging.ts'
import { SafePattern } from './safe-pattern.ts'
import { anyBoolean, isTrue } from './schemas.ts'
import { wrongChoice } from './wrong-query.ts'

const maxInteger = 0x7fffffff
const specsRule = 'os_compute_api:os-flavor-extra-specs:index'

const listQuery = knownQuery(
  {
    '2.1': { ...pageNames, is_public: anyText, minRam: anyText, minDisk: anyText, sort_key: anyText, sort_dir: anyText },
    '2.102': { name: anyText },
  },
  '2.75',
)

const sortKeys: Record<string, (flavor: Flavor) => string | number> = {
  flavorid: (flavor) => flavor.flavorId,
  name: (flavor) => flavor.name,
  memory_mb: (flavor) => flavor.memoryMib,
  vcpus: (flavor) => flavor.vcpus,
  root_gb: (flavor) => flavor.rootGib,
  ephemeral_gb: (flavor) => flavor.ephemeralGib,
  swap: (flavor) => flavor.swapMib,
  rxtx_factor: (flavor) => flavor.rxtxFactor,
  description: (flavor) => flavor.description ?? '',
  disabled: (flavor) => Number(flavor.disabled),
  is_public: (flavor) => Number(flavor.isPublic),
  id: (flavor) => flavor.id,
  created_at: (flavor) => flavor.id,
  updated_at: (flavor) => flavor.id,
  vcpu_weight: () => 0,
}

function atLeastFilter(query: Known, name: 'minRam' | 'minDisk'): number {
  const text = query[name]
  if (text === undefined) return 0
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) throw invalid(`Invalid ${name} filter [${text.slice(0, 64)}]`)
  return Number(text)
}

/** Which flavors an administrator asks for: the public ones, the private ones, or all (`null`). */
function isPublicFilter(text: string | undefined): boolean | null {
  if (text === undefined) return true
  if (text.toLowerCase() === 'none') return null
  const found = booleanWord(text)
  if (found === null) throw invalid(`Invalid is_public filter [${text.slice(0, 64)}]`)
  return found
}

function listed({ context, query }: Incoming<unknown, Known>, nova: NovaApi): { flavors: Flavor[]; isFull: boolean } {
  const viewer: FlavorViewer = viewerOf(context)
  const [minRamMib, minDiskGib] = [atLeastFilter(query, 'minRam'), atLeastFilter(query, 'minDisk')]
  const wantsPublic = viewer.isAdmin ? isPublicFilter(query.is_public) : null
  const name = query.name === undefined ? null : new SafePattern(query.name)
  const key = sortKeys[query.sort_key || 'flavorid']
  if (!key || !Object.hasOwn(sortKeys, query.sort_key || 'flavorid'))
    throw wrongChoice('sort_key', query.sort_key ?? '', Object.keys(sortKeys).sort())
  const direction = query.sort_dir || 'asc'
  if (direction !== 'asc' && direction !== 'desc') throw wrongChoice('sort_dir', direction, ['asc', 'desc'])
  const sign = direction === 'asc' ? 1 : -1

  // Granted ones count as public for the project that they were granted to, an administrator's own too.
  const seenByProject = wantsPublic === true ? nova.model.flavors.list({ ...viewer, isAdmin: false }) : nova.model.flavors.list(viewer)
  const wanted = (flavor: Flavor): boolean =>
    (wantsPublic !== false || !flavor.isPublic) &&
    flavor.memoryMib >= minRamMib &&
    flavor.rootGib >= minDiskGib &&
    (name?.test(flavor.name) ?? true)
  // A marker says where to go on, whether or not it is wanted itself.
  const marker = query.marker ?? null
  const found = seenByProject
    .filter((flavor) => flavor.flavorId === marker || wanted(flavor))
    .map((flavor) => ({ flavor, value: key(flavor) }))
    .sort((a, b) => sign * (a.value < b.value ? -1 : a.value > b.value ? 1 : a.flavor.id - b.flavor.id))
    .map(({ flavor }) => flavor)
  const limit = pageSize(query, nova.config.get(apiConfig).maxLimit)
  const flavors = pageOf(found, { marker, limit, idOf: (flavor) => flavor.flavorId })
  return { flavors, isFull: flavors.length === limit }
}

type FlavorPage = { flavors: Shown[]; flavors_links?: Link[] }

const listOf =
  (path: string, show: (thing: ShownFlavor, context: RequestContext) => Shown) =>
  (request: Incoming<unknown, Known>, nova: NovaApi): FlavorPage => {
    const { context, allows } = request
    const { flavors, isFull } = listed(request, nova)
    const showsExtraSpecs = allows(specsRule)
    const last = isFull ? flavors.at(-1) : undefined
    return {
      flavors: flavors.map((flavor) => show({ flavor, showsExtraSpecs }, context)),
      ...(last ? { flavors_links: [nextLink(context, path, request.query, last.flavorId)] } : {}),
    }
  }

const listFlavors = operation({
  method: 'GET',
  path: '/flavors',
  status: 200,
  errors: [400, 403],
  query: listQuery,
  handle: listOf('/flavors', flavorSummary),
})

const detailFlavors = operation({
  method: 'GET',
  path: '/flavors/detail',
  status: 200,
  errors: [400, 403],
  query: listQuery,
  handle: listOf('/flavors/detail', flavorView),
})

const shown = (flavor: Flavor, { allows, context }: Incoming) => ({
  flavor: flavorView({ flavor, showsExtraSpecs: allows(specsRule) }, context),
})

const showFlavor = operation({
  method: 'GET',
  path: '/flavors/{flavor_id}',
  status: 200,
  errors: [400, 403, 404],
  query: noQuery,
  handle: (request: Incoming<unknown, Known>, nova: NovaApi) =>
    shown(nova.model.flavors.get(request.params.flavor_id ?? '', viewerOf(request.context)), request),
})

const size = (minimum: number) =>
  Type.Unsafe<number | string>({ type: ['integer', 'string'], pattern: '^[0-9]+$', minimum, maximum: maxInteger, minLength: 1 })
addFormat('flavor name', (text) => /^(?! )[^\u0000-\u001f\u007f-\u009f]*(?<! )$/.test(text), {
  forgives: 'white space',
  mustBe: 'printable characters. Can not start or end with whitespace.',
})
const description = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  maxLength: 65_535,
  pattern: '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$',
})
const rxtxFactor = Type.Unsafe<number | string>({
  type: ['number', 'string'],
  pattern: '^[0-9]+(\\.[0-9]+)?$',
  exclusiveMinimum: 0,
  maximum: 3.40282e38,
})

const base = {
  name: Type.String({ minLength: 1, maxLength: 255, format: 'flavor name' }),
  id: Type.Optional(
    Type.Unsafe<string | number | null>({
      type: ['string', 'number', 'null'],
      minLength: 1,
      maxLength: 255,
      pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$',
      format: 'trimmable',
    }),
  ),
  ram: size(1),
  vcpus: size(1),
  disk: size(0),
  'OS-FLV-EXT-DATA:ephemeral': Type.Optional(size(0)),
  swap: Type.Optional(size(0)),
  'os-flavor-access:is_public': Type.Optional(anyBoolean),
}
const wrapped = <P extends Record<string, TSchema>>(properties: P) => Type.Object({ flavor: Type.Object(properties, closed) }, closed)

const v2_1 = wrapped({ ...base, rxtx_factor: Type.Optional(rxtxFactor) })
const v2_55 = wrapped({ ...base, rxtx_factor: Type.Optional(rxtxFactor), description: Type.Optional(description) })
const v2_102 = wrapped({ ...base, description: Type.Optional(description) })

type Asked = Static<typeof v2_1>['flavor'] & { description?: string | null }

function amount(name: string, value: string | number | undefined, least: number): number {
  const number = Number(value ?? 0)
  if (number < least || number > maxInteger) throw invalid(`'${name}' argument must be an integer between ${least} and ${maxInteger}.`)
  return number
}

function toNewFlavor({ flavor }: { flavor: Asked }): NewFlavor {
  const rxtx = Number(flavor.rxtx_factor ?? 1)
  if (!(rxtx > 0) || rxtx > 3.40282e38) throw invalid("'rxtx_factor' argument must be a float between 0 and 3.40282e+38.")
  return {
    flavorId: flavor.id === undefined || flavor.id === null || flavor.id === 'auto' ? randomUUID() : String(flavor.id),
    name: flavor.name,
    memoryMib: amount('ram', flavor.ram, 1),
    vcpus: amount('vcpus', flavor.vcpus, 1),
    rootGib: amount('disk', flavor.disk, 0),
    ephemeralGib: amount('OS-FLV-EXT-DATA:ephemeral', flavor['OS-FLV-EXT-DATA:ephemeral'], 0),
    swapMib: amount('swap', flavor.swap, 0),
    rxtxFactor: rxtx,
    isPublic: isTrue(flavor['os-flavor-access:is_public'] ?? true),
    description: flavor.description ?? null,
    extraSpecs: {},
  }
}

const createFlavor = operation({
  method: 'POST',
  path: '/flavors',
  status: 200,
  errors: [400, 403, 409],
  policy: 'os_compute_api:os-flavor-manage:create',
  body: bodies({ '2.1': as(v2_1, toNewFlavor), '2.55': as(v2_55, toNewFlavor), '2.102': as(v2_102, toNewFlavor) }),
  handle: (request: Incoming<NewFlavor>, nova: NovaApi) => shown(nova.model.flavors.create(request.body), request),
})

const updateFlavor = operation({
  method: 'PUT',
  path: '/flavors/{flavor_id}',
  since: '2.55',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-flavor-manage:update',
  body: bodies({ '2.55': as(wrapped({ description })) }),
  handle: (request: Incoming<{ flavor: { description: string | null } }>, { model }: NovaApi) => {
    const { id, flavorId } = model.flavors.get(request.params.flavor_id ?? '', viewerOf(request.context))
    model.flavors.describe(id, request.body.flavor.description)
    return shown(model.flavors.get(flavorId, viewerOf(request.context)), request)
  },
})

const deleteFlavor = operation({
  method: 'DELETE',
  path: '/flavors/{flavor_id}',
  status: 202,
  errors: [403, 404],
  policy: 'os_compute_api:os-flavor-manage:delete',
  handle: ({ context, params }: Incoming, { model }: NovaApi) => {
    principalOf(context)
    model.flavors.remove(model.flavors.get(params.flavor_id ?? '', viewerOf(context)).id)
  },
})

export const flavorOperations = [listFlavors, detailFlavors, showFlavor, createFlavor, updateFlavor, deleteFlavor]
