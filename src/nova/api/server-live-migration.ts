/**
 * `os-migrateLive`: a server goes to another host while it runs. Up to 2.33 it is answered when it is known that a host would
 * take it; from 2.34 on it is looked at afterwards, and what stands in the way is read from the migration.
 *
 * @see https://docs.openstack.org/api-ref/compute/#live-migrate-server-os-migratelive-action
 */
import { invalid } from '../../base/errors.ts'
import { as, atLeast, bodies, closed, nullable, operation, type TProperties, Type } from '../../base/http/index.ts'
import type { LiveWish } from '../conductor/index.ts'
import { callerOf, type NovaApi } from './deps.ts'
import { anyBoolean, hostName, isTrue } from './schemas.ts'
import { serverAction } from './server-actions.ts'
import { serverOf } from './servers.ts'

const host = nullable(hostName)
const booleanOrAuto = Type.Unsafe<boolean | string>({ ...anyBoolean, enum: [...anyBoolean.enum, 'auto'] })

type Asked = { host: string | null; block_migration: unknown; force?: unknown }
const rung = (properties: TProperties, forcedBy: (asked: Asked) => boolean) =>
  as(Type.Object({ 'os-migrateLive': Type.Object({ host, ...properties }, closed) }, closed), (body): LiveWish => {
    const asked = body['os-migrateLive'] as Asked
    const forced = forcedBy(asked)
    if (forced && asked.host === null) throw invalid("Can't force to a non-provided destination")
    return { host: asked.host, forced, copiesDisks: asked.block_migration === 'auto' ? null : isTrue(asked.block_migration) }
  })

/** Whom nobody asked for another way, a named host is taken without the scheduler's word. */
const unlessUnnamed = (asked: Asked): boolean => asked.host !== null

const migrateLive = operation({
  ...serverAction,
  action: 'os-migrateLive',
  policy: 'os_compute_api:os-migrate-server:migrate_live',
  body: bodies<LiveWish>({
    // How far disks may be promised is placement's business: disk_over_commit says nothing here.
    '2.1': rung({ block_migration: anyBoolean, disk_over_commit: anyBoolean }, unlessUnnamed),
    '2.25': rung({ block_migration: booleanOrAuto }, unlessUnnamed),
    '2.30': rung({ block_migration: booleanOrAuto, force: Type.Optional(anyBoolean) }, ({ force }) => isTrue(force)),
    '2.68': rung({ block_migration: booleanOrAuto }, () => false),
  }),
  handle: async (request, nova: NovaApi) => {
    const { body, context, enforce } = request
    const instance = serverOf(request, nova)
    if (body.host !== null) enforce('os_compute_api:os-migrate-server:migrate_live:host')
    await nova.conductor.live.start(instance, body, callerOf(context), { checksFirst: !atLeast(context, '2.34') })
    return undefined
  },
})

export const serverLiveMigrationOperations = [migrateLive]
