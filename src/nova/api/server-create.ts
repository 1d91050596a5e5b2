/**
 * `POST /servers`: each microversion's body becomes one internal request, in which a body without networks says
 * `auto-or-none` and nothing is left of the version that was asked.
 *
 * @see https://docs.openstack.org/api-ref/compute/#create-server
 */
import { as, bodies, closed, kinds, type Ladder, nullable, type TSchema, Type } from '../../base/http/index.ts'
import type { RequestedNic } from '../conductor/index.ts'
import type { BlockDevice } from '../model/index.ts'
import { deviceSchema, legacyDeviceSchema, mappedDevices } from './block-devices.ts'
import {
  anyBoolean,
  anyPassword,
  description,
  diskConfig,
  hostLabel,
  hostName,
  isTrue,
  metadataSchema,
  personalitySchema,
  serverName,
  tagSchema,
  trustedCertsSchema,
  userDataSchema,
} from './schemas.ts'

export type RequestedNetworks = 'auto' | 'none' | 'auto-or-none' | readonly RequestedNic[]

export type ServerCreate = {
  name: string
  description: string | null
  hostname: string | null
  imageRef: string
  flavorRef: string
  networks: RequestedNetworks
  /** Names or ids; `null`: the project's default group. */
  securityGroups: readonly string[] | null
  keyName: string | null
  userData: string | null
  metadata: Readonly<Record<string, string>>
  tags: readonly string[]
  availabilityZone: string | null
  host: string | null
  node: string | null
  configDrive: boolean | null
  minCount: number
  maxCount: number
  wantsReservation: boolean
  adminPass: string | null
  accessIpV4: string | null
  accessIpV6: string | null
  /** `null`: the image's word. */
  autoDiskConfig: boolean | null
  trustedCerts: readonly string[] | null
  hints: Readonly<Record<string, unknown>>
  /** What the body maps; `null`: nothing. */
  blockDevices: readonly BlockDevice[] | null
  /** Files to put on the config drive, up to 2.56. */
  personality: readonly { path: string; contents: string }[]
}

const count = kinds(Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[1-9][0-9]*$' }))
const uuidOrEmpty = Type.Union([Type.String({ format: 'uuid' }), Type.String({ maxLength: 0 })])

type Features = {
  description?: boolean
  /** Device tags on networks and on block devices: they came, went and came back. */
  networkTag?: boolean
  blockTag?: boolean
  networksRequired?: boolean
  tags?: boolean
  personality?: boolean
  trustedCerts?: boolean
  volumeType?: boolean
  host?: boolean
  hostname?: false | 'label' | 'fqdn'
}

function serverSchema(features: Features): TSchema {
  const nic = Type.Object(
    {
      uuid: Type.Optional(features.networksRequired ? Type.String({ format: 'uuid' }) : nullable(Type.String())),
      port: Type.Optional(nullable(Type.String({ format: 'uuid' }))),
      fixed_ip: Type.Optional(nullable(Type.String({ format: 'ip' }))),
      ...(features.networkTag ? { tag: Type.Optional(tagSchema) } : {}),
    },
    closed,
  )
  const nics = Type.Array(nic)
  const networks = features.networksRequired
    ? { networks: Type.Union([nics, Type.String({ enum: ['auto', 'none'] })]) }
    : { networks: Type.Optional(nics) }
  return Type.Object(
    {
      name: serverName,
      imageRef: Type.Optional(uuidOrEmpty),
      flavorRef: kinds(Type.String({ minLength: 1 }), Type.Integer({ minimum: 0 })),
      adminPass: anyPassword,
      metadata: Type.Optional(metadataSchema),
      'OS-DCF:diskConfig': Type.Optional(diskConfig),
      accessIPv4: Type.Optional(Type.String({ format: 'ipv4' })),
      accessIPv6: Type.Optional(Type.String({ format: 'ipv6' })),
      availability_zone: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
      block_device_mapping: Type.Optional(Type.Array(legacyDeviceSchema)),
      block_device_mapping_v2: Type.Optional(Type.Array(deviceSchema(features))),
      config_drive: Type.Optional(nullable(anyBoolean)),
      key_name: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 255 }))),
      min_count: Type.Optional(count),
      max_count: Type.Optional(count),
      return_reservation_id: Type.Optional(anyBoolean),
      security_groups: Type.Optional(
        Type.Array(Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, closed)),
      ),
      user_data: Type.Optional(userDataSchema),
      ...networks,
      ...(features.personality === false ? {} : { personality: Type.Optional(personalitySchema) }),
      ...(features.description ? { description: Type.Optional(description) } : {}),
      ...(features.tags ? { tags: Type.Optional(Type.Array(tagSchema, { maxItems: 50 })) } : {}),
      ...(features.trustedCerts ? { trusted_image_certificates: Type.Optional(trustedCertsSchema) } : {}),
      ...(features.host
        ? {
            host: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
            hypervisor_hostname: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
          }
        : {}),
      ...(features.hostname ? { hostname: Type.Optional(features.hostname === 'fqdn' ? hostName : hostLabel) } : {}),
    },
    closed,
  )
}

const hints = Type.Object(
  {
    group: Type.Optional(Type.String({ format: 'uuid' })),
    different_host: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    same_host: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    query: Type.Optional(Type.Unknown()),
    target_cell: Type.Optional(Type.String()),
    different_cell: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    build_near_host_ip: Type.Optional(Type.String()),
    cidr: Type.Optional(Type.String({ pattern: '^/[0-9a-f.:]+$' })),
  },
  { additionalProperties: true },
)

type Nic = { uuid?: string | null; port?: string | null; fixed_ip?: string | null; tag?: string }
type Body = {
  server: {
    name: string
    imageRef?: string
    flavorRef: string | number
    networks?: Nic[] | 'auto' | 'none'
    security_groups?: { name?: string }[]
    min_count?: number | string
    max_count?: number | string
    [key: string]: unknown
  }
  'os:scheduler_hints'?: Record<string, unknown>
  'OS-SCH-HNT:scheduler_hints'?: Record<string, unknown>
}

const textOr = (value: unknown, otherwise: string | null = null): string | null => (typeof value === 'string' ? value : otherwise)
/** A flavor may be named by its whole address. */
export const flavorIdIn = (reference: string): string =>
  reference
    .replace(/[?#].*$/, '')
    .split('/')
    .at(-1) ?? ''
const nicOf = ({ uuid, port, fixed_ip, tag }: Nic): RequestedNic => ({
  networkId: uuid || null,
  portId: port ?? null,
  fixedIp: fixed_ip ?? null,
  tag: tag ?? null,
})
function parse(body: Body): ServerCreate {
  const { server } = body
  const { networks, security_groups } = server
  const minCount = Number(server.min_count ?? server.max_count ?? 1)
  const firstMin = server.min_count === undefined ? 1 : minCount
  return {
    name: server.name.trim(),
    description: textOr(server.description),
    hostname: textOr(server.hostname),
    imageRef: server.imageRef ?? '',
    flavorRef: flavorIdIn(String(server.flavorRef)),
    networks:
      networks === undefined || (Array.isArray(networks) && networks.length === 0)
        ? 'auto-or-none'
        : typeof networks === 'string'
          ? networks
          : networks.map(nicOf),
    securityGroups: security_groups?.some(({ name }) => name !== undefined)
      ? [...new Set(security_groups.flatMap(({ name }) => name ?? []))]
      : null,
    keyName: textOr(server.key_name),
    userData: textOr(server.user_data),
    metadata: (server.metadata as Record<string, string> | undefined) ?? {},
    tags: [...new Set((server.tags as string[] | undefined) ?? [])],
    availabilityZone: textOr(server.availability_zone),
    host: textOr(server.host),
    node: textOr(server.hypervisor_hostname),
    configDrive: server.config_drive === undefined || server.config_drive === null ? null : isTrue(server.config_drive),
    minCount: firstMin,
    maxCount: Number(server.max_count ?? minCount),
    wantsReservation: isTrue(server.return_reservation_id),
    adminPass: textOr(server.adminPass),
    accessIpV4: textOr(server.accessIPv4),
    accessIpV6: textOr(server.accessIPv6),
    autoDiskConfig: server['OS-DCF:diskConfig'] === undefined ? null : server['OS-DCF:diskConfig'] === 'AUTO',
    trustedCerts: (server.trusted_image_certificates as string[] | null | undefined) ?? null,
    hints: body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {},
    blockDevices: mappedDevices(server),
    personality: (server.personality as ServerCreate['personality'] | undefined) ?? [],
  }
}

/** What each version adds to, or takes from, the ones before. */
const changes: Record<string, Features> = {
  '2.1': {},
  '2.19': { description: true },
  '2.32': { networkTag: true, blockTag: true },
  '2.33': { blockTag: false },
  '2.37': { networksRequired: true, networkTag: false },
  '2.42': { networkTag: true, blockTag: true },
  '2.52': { tags: true },
  '2.57': { personality: false },
  '2.63': { trustedCerts: true },
  '2.67': { volumeType: true },
  '2.74': { host: true },
  '2.90': { hostname: 'label' },
  '2.94': { hostname: 'fqdn' },
}

function rungs(): Ladder<ServerCreate> {
  const ladder: Ladder<ServerCreate> = {}
  let features: Features = {}
  for (const [since, change] of Object.entries(changes)) {
    features = { ...features, ...change }
    const schema = Type.Object(
      { server: serverSchema(features), 'os:scheduler_hints': Type.Optional(hints), 'OS-SCH-HNT:scheduler_hints': Type.Optional(hints) },
      closed,
    )
    const { description } = features
    ladder[since] = as(schema, (body) => {
      const wish = parse(body as Body)
      // Where no description can be given it is the name, as those see who ask in a later version.
      return description ? wish : { ...wish, description: wish.name }
    })
  }
  return ladder
}

export const serverCreateBody = bodies<ServerCreate>(rungs())
