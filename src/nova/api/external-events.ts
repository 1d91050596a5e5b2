/**
 * What other services tell of servers. A changed network has the server's ports read anew, a changed power state the
 * hypervisor asked; the rest is taken note of, since this cloud's own services say it on the queue.
 *
 * @see https://docs.openstack.org/api-ref/compute/#create-external-events-os-server-external-events
 */
import { as, bodies, closed, type Incoming, operation, Reply, Type } from '../../base/http/index.ts'
import { type GuestChanged, guestChanged } from '../compute/index.ts'
import type { NovaApi } from './deps.ts'

type Event = { name: string; server_uuid: string; status?: string; tag?: string }
type Outcome = Event & { status: string; code: number }

const maxEvents = 1000
const powerStates = ['POWER_ON', 'POWER_OFF']

let names: string[] = []
const rung = (...added: string[]) => {
  names = [...names, ...added]
  const event = Type.Object(
    {
      name: Type.Unsafe<string>({ type: 'string', enum: names }),
      server_uuid: Type.String({ format: 'uuid' }),
      status: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['failed', 'completed', 'in-progress'] })),
      tag: Type.Optional(Type.String({ maxLength: 255 })),
    },
    closed,
  )
  return as(Type.Object({ events: Type.Array(event, { minItems: 1, maxItems: maxEvents }) }, closed), ({ events }): Event[] => events)
}

/** A volume is extended, an accelerator bound, a power state reached: the tag says which. */
const hasTag = ({ name, tag }: Event): boolean =>
  name === 'power-update' ? tag !== undefined && powerStates.includes(tag) : tag !== undefined || !needsTag.has(name)
const needsTag = new Set(['volume-extended', 'volume-reimaged', 'accelerator-request-bound'])

function take(event: Event, { model, queue, conductor }: NovaApi): number {
  const instance = model.instances.find(event.server_uuid)
  if (!instance) return 404
  if (!hasTag(event)) return 400
  if (instance.host === null) return 422
  if (event.name.startsWith('network-')) conductor.watch.refreshPorts(instance.uuid)
  if (event.name === 'power-update') {
    const change = event.tag === 'POWER_ON' ? 'started' : 'stopped'
    queue.publish({ type: guestChanged, payload: { host: instance.host, uuid: instance.uuid, change } satisfies GuestChanged })
  }
  return 200
}

const createEvents = operation({
  method: 'POST',
  path: '/os-server-external-events',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-server-external-events:create',
  body: bodies({
    '2.1': rung('network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted'),
    '2.51': rung('volume-extended'),
    '2.76': rung('power-update'),
    '2.82': rung('accelerator-request-bound'),
    '2.93': rung('volume-reimaged'),
  }),
  handle: ({ body }: Incoming<Event[]>, nova: NovaApi) => {
    const events = body.map((event): Outcome => {
      const code = take(event, nova)
      return { ...event, status: code === 200 ? (event.status ?? 'completed') : 'failed', code }
    })
    return new Reply({ status: events.every(({ code }) => code === 200) ? 200 : 207, body: { events } })
  },
})

export const externalEventOperations = [createEvents]
