/**
 * Quota classes. Only `default` has an effect: it holds the limits of projects that have none of their own.
 *
 * @see https://docs.openstack.org/api-ref/compute/#quota-class-sets-os-quota-class-sets
 */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, type TSchema, Type } from '../../base/http/index.ts'
import type { Limits } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'
import { limitProperties, limitsIn, quotaView } from './quotas.ts'

const classView = quotaView<number>('class', -1)
const maxName = 255

/** @throws {CloudError} `invalid` for a name that no class can have. */
function nameOf({ params }: Incoming<unknown, unknown>): string {
  const name = params.class_name ?? ''
  if (name.length > maxName) throw invalid(`A quota class's name has at most ${maxName} characters.`)
  return name
}

const showClass = operation({
  method: 'GET',
  path: '/os-quota-class-sets/{class_name}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-class-sets:show',
  query: noQuery,
  handle: (request: Incoming<undefined, Known>, { model }: NovaApi) => {
    const id = nameOf(request)
    return { quota_class_set: { id, ...classView(model.quotas.ofClass(id), request.context) } }
  },
})

const updateBody = bodies(
  Object.fromEntries(
    Object.entries(limitProperties('class')).map(([since, properties]) => [
      since,
      as<TSchema, Partial<Limits>>(Type.Object({ quota_class_set: Type.Object(properties, closed) }, closed), (value) =>
        limitsIn((value as { quota_class_set: Record<string, unknown> }).quota_class_set),
      ),
    ]),
  ),
)

const updateClass = operation({
  method: 'PUT',
  path: '/os-quota-class-sets/{class_name}',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-quota-class-sets:update',
  body: updateBody,
  handle: (request: Incoming<Partial<Limits>>, { model }: NovaApi) => {
    const name = nameOf(request)
    for (const [resource, limit] of Object.entries(request.body))
      if (limit < -1 || limit > 0x7fffffff)
        throw invalid(`Quota limit ${limit} for ${resource} must be in the range of -1 and ${0x7fffffff}.`)
    model.quotas.setClass(name, request.body)
    return { quota_class_set: classView(model.quotas.ofClass(name), request.context) }
  },
})

export const quotaClassSetOperations = [showClass, updateClass]
