/** `PUT /servers/{id}`: what may change, by version, as columns of the row. */
import { Type } from '@sinclair/typebox'
import { as, bodies, type Ladder } from '../../base/http/index.ts'
import type { InstanceChange } from '../model/index.ts'
import { description, domainName, hostLabel, serverName } from './schemas.ts'

export type ServerUpdate = { change: InstanceChange; pinnedZone?: string | null }

type Body = {
  server: {
    name?: string
    description?: string | null
    hostname?: string
    accessIPv4?: string
    accessIPv6?: string
    'OS-DCF:diskConfig'?: string
    pinned_availability_zone?: string | null
  }
}

const address = (format: string) => Type.Optional(Type.String({ format }))
const base = {
  name: Type.Optional(serverName),
  'OS-DCF:diskConfig': Type.Optional(Type.String({ enum: ['AUTO', 'MANUAL'] })),
  accessIPv4: address('ipv4'),
  accessIPv6: address('ipv6'),
}
const described = { description: Type.Optional(description) }
const label = { hostname: Type.Optional(hostLabel) }
const fqdn = { hostname: Type.Optional(domainName) }
const pinned = { pinned_availability_zone: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Null()])) }

function parse({ server }: Body): ServerUpdate {
  const change: InstanceChange = {}
  if (server.name !== undefined) change.display_name = server.name
  if (server.description !== undefined) change.display_description = server.description
  if (server.hostname !== undefined) change.hostname = server.hostname
  if (server.accessIPv4 !== undefined) change.access_ip_v4 = server.accessIPv4
  if (server.accessIPv6 !== undefined) change.access_ip_v6 = server.accessIPv6
  if (server['OS-DCF:diskConfig'] !== undefined) change.auto_disk_config = server['OS-DCF:diskConfig'] === 'AUTO' ? 1 : 0
  return { change, ...(server.pinned_availability_zone === undefined ? {} : { pinnedZone: server.pinned_availability_zone }) }
}

const rung = (properties: Parameters<typeof Type.Object>[0]) =>
  as(Type.Object({ server: Type.Object(properties, { additionalProperties: false }) }, { additionalProperties: false }), (body) =>
    parse(body as Body),
  )

const rungs: Ladder<ServerUpdate> = {
  '2.1': rung(base),
  '2.19': rung({ ...base, ...described }),
  '2.90': rung({ ...base, ...described, ...label }),
  '2.94': rung({ ...base, ...described, ...fqdn }),
  '2.104': rung({ ...base, ...described, ...fqdn, ...pinned }),
}

export const serverUpdateBody = bodies<ServerUpdate>(rungs)
