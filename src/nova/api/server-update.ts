/** `PUT /servers/{id}`: what may change, by version, as columns of the row. A rebuild may change the same. */
import { as, bodies, closed, type Ladder, nullable, Type } from '../../base/http/index.ts'
import type { InstanceChange } from '../model/index.ts'
import { description, diskConfig, hostLabel, hostName, serverName } from './schemas.ts'

export type ServerUpdate = { change: InstanceChange; pinnedZone?: string | null }

export type Attributes = {
  name?: string
  description?: string | null
  hostname?: string
  accessIPv4?: string
  accessIPv6?: string
  'OS-DCF:diskConfig'?: string
}
type Body = { server: Attributes & { pinned_availability_zone?: string | null } }

const address = (format: string) => Type.Optional(Type.String({ format }))
/** The attributes' schemas: of all versions, from 2.19, from 2.90 and from 2.94. */
export const attributes = {
  name: Type.Optional(serverName),
  'OS-DCF:diskConfig': Type.Optional(diskConfig),
  accessIPv4: address('ipv4'),
  accessIPv6: address('ipv6'),
}
export const described = { description: Type.Optional(description) }
export const label = { hostname: Type.Optional(hostLabel) }
export const fqdn = { hostname: Type.Optional(hostName) }
const pinned = { pinned_availability_zone: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))) }

/** The columns of what is given. */
export function columnsOf(server: Attributes): InstanceChange {
  const change: InstanceChange = {}
  if (server.name !== undefined) change.display_name = server.name
  if (server.description !== undefined) change.display_description = server.description
  if (server.hostname !== undefined) change.hostname = server.hostname
  if (server.accessIPv4 !== undefined) change.access_ip_v4 = server.accessIPv4
  if (server.accessIPv6 !== undefined) change.access_ip_v6 = server.accessIPv6
  if (server['OS-DCF:diskConfig'] !== undefined) change.auto_disk_config = server['OS-DCF:diskConfig'] === 'AUTO' ? 1 : 0
  return change
}

const parse = ({ server }: Body): ServerUpdate => ({
  change: columnsOf(server),
  ...(server.pinned_availability_zone === undefined ? {} : { pinnedZone: server.pinned_availability_zone }),
})

const rung = (properties: Parameters<typeof Type.Object>[0]) =>
  as(Type.Object({ server: Type.Object(properties, closed) }, closed), (body) => parse(body as Body))

const rungs: Ladder<ServerUpdate> = {
  '2.1': rung(attributes),
  '2.19': rung({ ...attributes, ...described }),
  '2.90': rung({ ...attributes, ...described, ...label }),
  '2.94': rung({ ...attributes, ...described, ...fqdn }),
  '2.104': rung({ ...attributes, ...described, ...fqdn, ...pinned }),
}

export const serverUpdateBody = bodies<ServerUpdate>(rungs)
