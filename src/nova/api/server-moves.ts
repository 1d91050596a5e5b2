/**
 * `migrate` (cold) and `evacuate`.
 *
 * @see https://docs.openstack.org/api-ref/compute/#migrate-server-migrate-action
 */
import { invalid, notFound } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, nullable, operation, type TProperties, Type } from '../../base/http/index.ts'
import {
  checkRule,
  type EvacuateInput,
  evacuateRule,
  evacuateServer,
  holdNewFlavor,
  type MoveInput,
  migrateRule,
  moveServer,
} from '../conductor/index.ts'
import { apiConfig } from '../model/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { anyBoolean, anyPassword, hostName, isTrue } from './schemas.ts'
import { serverAction } from './server-actions.ts'
import { needServiceUp } from './server-resize.ts'
import { generatePassword, serverOf } from './servers.ts'

const move = { ...serverAction, errors: [400, 403, 404, 409] } as const

const migrate = operation({
  ...move,
  action: 'migrate',
  policy: 'os_compute_api:os-migrate-server:migrate',
  body: bodies<string | null>({
    '2.1': as(Type.Object({ migrate: Type.Unknown() }, closed), () => null),
    '2.56': as(
      Type.Object({ migrate: nullable(Type.Object({ host: Type.Optional(nullable(hostName)) }, closed)) }, closed),
      (body) => body.migrate?.host ?? null,
    ),
  }),
  handle: (request, nova: NovaApi) => {
    const { body: host, context, enforce } = request
    const instance = serverOf(request, nova)
    const caller = callerOf(context)
    if (host !== null) {
      enforce('os_compute_api:os-migrate-server:migrate:host')
      checkRule(instance, migrateRule, caller)
      if (host === instance.host) throw invalid('Cannot migrate to the host where the server exists.')
      if (!nova.model.hosts.nodes().some((node) => node.host === host)) throw invalid(`Compute host ${host} could not be found.`)
    }
    const input: MoveInput = { uuid: instance.uuid, migrationId: 0, was: instance.vmState, host }
    void nova.conductor.begin(instance, migrateRule, caller, {
      saga: moveServer,
      input,
      rows: () => {
        needServiceUp(nova, instance)
        holdNewFlavor(nova, instance, instance.flavor)
        const destination = host === null ? null : { host, node: null }
        input.migrationId = nova.model.migrations.begin({
          instance,
          type: 'migration',
          newFlavor: instance.flavor,
          destination,
          by: caller,
        })
      },
    })
    return undefined
  },
})

type Evacuate = { host: string | null; adminPass: string | null; force: boolean | null; shared: boolean }
const rung = (properties: TProperties) =>
  as(Type.Object({ evacuate: Type.Object(properties, closed) }, closed), (body): Evacuate => {
    const { host, adminPass, force, onSharedStorage } = body.evacuate as Record<string, string | boolean | undefined>
    return {
      host: host === undefined ? null : String(host),
      adminPass: adminPass === undefined ? null : String(adminPass),
      force: force === undefined ? null : isTrue(force),
      shared: isTrue(onSharedStorage),
    }
  })
const destination = { host: Type.Optional(hostName) }
const withPassword = { ...destination, adminPass: anyPassword }

const evacuate = operation({
  ...move,
  action: 'evacuate',
  status: 200,
  policy: 'os_compute_api:os-evacuate',
  body: bodies<Evacuate>({
    '2.1': rung({ ...withPassword, onSharedStorage: anyBoolean }),
    '2.14': rung(withPassword),
    '2.29': rung({ ...withPassword, force: Type.Optional(anyBoolean) }),
    '2.68': rung(withPassword),
  }),
  handle: (request, nova: NovaApi) => {
    const { body, context } = request
    const { model } = nova
    const instance = serverOf(request, nova)
    const { uuid } = instance
    const { host } = body
    if (body.force && host === null) throw invalid("Can't force to a non-provided destination")
    if (body.shared && body.adminPass !== null) throw invalid("admin password can't be changed on existing disk")
    if (host !== null) {
      if (!model.hosts.nodes().some((node) => node.host === host)) throw notFound(`Compute host ${host} not found.`)
      if (host === instance.host) throw invalid("The target host can't be the same one.")
    }
    const caller = callerOf(context)
    const adminPass = body.adminPass ?? (body.shared ? null : generatePassword())
    const source = instance.host ?? ''
    const stopped = atLeast(context, '2.95') || instance.vmState === 'stopped'
    const forced = host !== null && (body.force ?? !atLeast(context, '2.29'))
    const input: EvacuateInput = { uuid, source, migrationId: 0, host, forced, stopped }
    void nova.conductor.begin(instance, evacuateRule, caller, {
      saga: evacuateServer,
      input,
      supersedes: true,
      rows: () => {
        if (model.hosts.services({ host: source, binary: 'nova-compute' }).some(({ up }) => up))
          throw invalid(`Compute service of ${source} is still in use.`)
        input.migrationId = model.migrations.begin({
          instance,
          type: 'evacuation',
          newFlavor: instance.flavor,
          destination: host === null ? null : { host, node: null },
          by: caller,
          status: 'accepted',
        })
      },
      ...(adminPass === null ? {} : { secret: adminPass }),
    })
    if (atLeast(context, '2.14')) return undefined
    return nova.config.get(apiConfig).enableInstancePassword ? { adminPass } : {}
  },
})

export const serverMoveOperations = [migrate, evacuate]
