/** Resource classes. @see https://docs.openstack.org/api-ref/placement/#resource-classes */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, operation, Reply, type RequestContext, Type } from '../../base/http/index.ts'
import { createClass, deleteClass, ensureClass, listClasses, renameClass, requireClass } from '../classes.ts'
import type { Store } from '../store.ts'
import { isCustomName } from '../traits.ts'
import { dated, failures, linkTo, locationOf } from './reply.ts'

const nameBody = Type.Object({ name: Type.String({ pattern: '^CUSTOM_[A-Z0-9_]+$', minLength: 1, maxLength: 255 }) }, closed)
const path = (name: string) => `/resource_classes/${name}`
const shown = (context: RequestContext, name: string) => ({ name, links: [{ rel: 'self', href: linkTo(context, path(name)) }] })
const base = { errors: failures, policy: 'placement:use', since: '1.2' }

const listResourceClasses = operation<Store>({
  ...base,
  method: 'GET',
  path: '/resource_classes',
  status: 200,
  handle: ({ context }, store) => {
    const rows = listClasses(store)
    return dated(context, store, { resource_classes: rows.map(({ name }) => shown(context, name)) }, rows)
  },
})

const createResourceClass = operation<Store, { name: string }>({
  ...base,
  method: 'POST',
  path: '/resource_classes',
  status: 201,
  body: bodies<{ name: string }>({ '1.2': as(nameBody) }),
  handle: ({ body, context }, store) => {
    createClass(store, body.name)
    return new Reply({ headers: { location: locationOf(context, path(body.name)) } })
  },
})

const showResourceClass = operation<Store>({
  ...base,
  method: 'GET',
  path: '/resource_classes/{name}',
  status: 200,
  handle: ({ params, context }, store) => {
    const row = requireClass(store, params.name!)
    return dated(context, store, shown(context, row.name), [row])
  },
})

const renameResourceClass = operation<Store, { name: string }>({
  ...base,
  method: 'PUT',
  path: '/resource_classes/{name}',
  until: '1.6',
  status: 200,
  body: bodies<{ name: string }>({ '1.2': as(nameBody) }),
  handle: ({ params, body, context }, store) => shown(context, renameClass(store, params.name!, body.name).name),
})

const ensureResourceClass = operation<Store>({
  ...base,
  method: 'PUT',
  path: '/resource_classes/{name}',
  since: '1.7',
  status: 204,
  handle: ({ params, context }, store) => {
    const name = params.name!
    if (!isCustomName(name)) throw invalid(`Invalid resource class name ${name.slice(0, 255)}: it must match CUSTOM_[A-Z0-9_]+.`)
    const created = store.db.transaction(() => ensureClass(store, name))
    return new Reply({ status: created ? 201 : 204, headers: { location: locationOf(context, path(name)) } })
  },
})

const deleteResourceClass = operation<Store>({
  ...base,
  method: 'DELETE',
  path: '/resource_classes/{name}',
  status: 204,
  handle: ({ params }, store) => deleteClass(store, params.name!),
})

export const classOperations = [
  listResourceClasses,
  createResourceClass,
  showResourceClass,
  renameResourceClass,
  ensureResourceClass,
  deleteResourceClass,
]
