/**
 * Remote consoles: a URL that opens a server's screen or serial line. To 2.5 there is an action for each protocol, from 2.6 one resource.
 *
 * @see https://docs.openstack.org/api-ref/compute/#server-consoles-servers-remote-consoles
 */
import { invalid, notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { ConsoleType } from '../virt/index.ts'
import type { NovaApi } from './deps.ts'
import { serverOf } from './servers.ts'

const policy = 'os_compute_api:os-remote-consoles'
const errors = [400, 403, 404, 409, 501]

type Protocol = 'vnc' | 'spice' | 'rdp' | 'serial' | 'mks'

const typesOf: Readonly<Record<Protocol, readonly ConsoleType[]>> = {
  vnc: ['novnc', 'xvpvnc'],
  spice: ['spice-html5', 'spice-direct'],
  rdp: ['rdp-html5'],
  serial: ['serial'],
  mks: ['webmks'],
}

const oneOf = <T extends string>(values: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: values })

const create = (request: Incoming<unknown, unknown>, nova: NovaApi, type: ConsoleType) =>
  nova.consoles.create(serverOf(request, nova), type, request.context.origin)

const actions: readonly (readonly [string, readonly ConsoleType[]])[] = [
  ['os-getVNCConsole', typesOf.vnc],
  ['os-getSPICEConsole', ['spice-html5']],
  ['os-getRDPConsole', typesOf.rdp],
  ['os-getSerialConsole', typesOf.serial],
]

const consoleActions = actions.map(([action, types]) =>
  operation({
    method: 'POST',
    path: '/servers/{server_id}/action',
    action,
    until: '2.5',
    status: 200,
    errors,
    policy,
    body: bodies<ConsoleType>({
      '2.1': as(Type.Object({ [action]: Type.Object({ type: oneOf(types) }, closed) }, closed), (body) => body[action]!.type),
    }),
    handle: async (request, nova: NovaApi) => ({ console: await create(request, nova, request.body) }),
  }),
)

type Wanted = { protocol: Protocol; type: ConsoleType }

const rung = (protocols: readonly Protocol[], types: readonly ConsoleType[]) =>
  as(
    Type.Object({ remote_console: Type.Object({ protocol: oneOf(protocols), type: oneOf(types) }, closed) }, closed),
    (body): Wanted => body.remote_console,
  )

const protocols: readonly Protocol[] = ['vnc', 'spice', 'rdp', 'serial']
const types: readonly ConsoleType[] = ['novnc', 'xvpvnc', 'spice-html5', 'rdp-html5', 'serial']

const createRemoteConsole = operation({
  method: 'POST',
  path: '/servers/{server_id}/remote-consoles',
  since: '2.6',
  status: 200,
  errors,
  policy,
  body: bodies<Wanted>({
    '2.6': rung(protocols, types),
    '2.8': rung([...protocols, 'mks'], [...types, 'webmks']),
    '2.99': rung([...protocols, 'mks'], [...types, 'webmks', 'spice-direct']),
  }),
  handle: async (request, nova: NovaApi) => {
    const { protocol, type } = request.body
    const instance = serverOf(request, nova)
    if (!typesOf[protocol].includes(type)) throw invalid(`Invalid console type ${type}`)
    const made = await nova.consoles.create(instance, type, request.context.origin)
    return { remote_console: { protocol, ...made } }
  },
})

/** Where a token leads, for a proxy that somebody else runs. */
const showConsoleToken = operation({
  method: 'GET',
  path: '/os-console-auth-tokens/{console_token}',
  status: 200,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-console-auth-tokens',
  handle: ({ params, context, search }, nova: NovaApi) => {
    const [unexpected] = search.keys()
    if (unexpected !== undefined && atLeast(context, '2.99'))
      throw invalid(`Additional properties are not allowed ('${unexpected.slice(0, 64)}' was unexpected)`)
    const found = nova.model.consoleTokens.find(params.console_token ?? '')
    if (!found) throw notFound('Token not found')
    if (!atLeast(context, '2.31')) throw invalid('The requested console type details are not accessible')
    return {
      console: {
        instance_uuid: found.instanceUuid,
        host: found.host,
        port: found.port,
        internal_access_path: found.internalAccessPath,
        ...(atLeast(context, '2.99') ? { tls_port: found.tlsPort } : {}),
      },
    }
  },
})

export const consoleOperations = [...consoleActions, createRemoteConsole, showConsoleToken]
