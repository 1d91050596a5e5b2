/**
 * From `POST /servers` to a running guest: host → ports → guest.
 *
 * A host that fails is let go and the next one is tried, `[scheduler] max_attempts` times. A delete supersedes a build:
 * the build undoes itself, then the delete runs.
 */
import { CloudError, messageOf } from '../../base/errors.ts'
import { RetryFrom, saga } from '../../base/saga/index.ts'
import { computeConfig, type SpawnArgs } from '../compute/index.ts'
import { type Instance, Instances, NoValidHost, novaConfig, type TaskState } from '../model/index.ts'
import { type Selection, schedulerConfig } from '../scheduler/index.ts'
import { GuestError, PowerState } from '../virt/index.ts'
import { askCancellably, askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { letGo } from './endings.ts'
import { inEvent } from './events.ts'
import { recordFailure } from './faults.ts'
import { notify } from './notifications.ts'
import { allocatePorts, type RequestedNic, readPorts, releasePorts } from './ports.ts'

export type BuildInput = {
  uuid: string
  nics: readonly RequestedNic[]
  securityGroupIds: readonly string[] | null
  imageProperties: Readonly<Record<string, string>>
  personality?: readonly InjectedFile[]
}

export type InjectedFile = { path: string; base64: string }

const buildTasks: readonly (TaskState | null)[] = ['scheduling', 'networking', 'block_device_mapping', 'spawning']
const eventName = 'compute__do_build_and_run_instance'

export const buildServer = saga<BuildInput, ConductorDeps>('build-server/1')
  .step('host', {
    async run(context, deps): Promise<Selection> {
      const { input, earlier } = context
      const instance = deps.model.instances.get(input.uuid)
      const ignoreHosts = (earlier as Selection[]).map(({ host }) => host)
      try {
        return deps.scheduler.select({
          instanceUuid: instance.uuid,
          projectId: instance.projectId,
          userId: instance.userId,
          flavor: instance.flavor,
          spec: instance.spec,
          imageProperties: input.imageProperties,
          ignoreHosts,
        })
      } catch (error) {
        // A build's first event is its host's; this one tells why there is none.
        return await inEvent(deps, context, 'conductor_schedule_and_build_instances', deps.host, () => Promise.reject(error))
      }
    },
    commit({ input }, { host, node, zone }, { model }) {
      model.instances.tryUpdate(
        input.uuid,
        { host, node, availability_zone: zone, launched_on: host, task_state: 'networking' },
        { taskState: buildTasks },
      )
    },
    undo({ input }, { db, model, placement }) {
      db.transaction(() => {
        placement.release(input.uuid)
        model.instances.tryUpdate(input.uuid, { host: null, node: null, task_state: 'scheduling' }, { taskState: buildTasks })
      })
    },
  })
  .step('ports', {
    run(context, deps) {
      const { uuid, nics, securityGroupIds } = context.input
      const instance = deps.model.instances.get(uuid)
      const allocate = () => deps.db.transaction(() => allocatePorts(deps, { instance, nics, securityGroupIds }))
      return inEvent(deps, context, eventName, context.outputs.host.host, allocate, { staysOpen: true })
    },
    commit({ input }, _portIds, deps) {
      deps.model.instances.setPorts(input.uuid, readPorts(deps, input.uuid, input.nics))
      deps.model.instances.tryUpdate(input.uuid, { task_state: 'spawning' }, { taskState: buildTasks })
    },
    undo({ input }, deps) {
      deps.db.transaction(() => {
        releasePorts(deps, input.uuid)
        deps.model.instances.setPorts(input.uuid, [])
      })
    },
  })
  .step('guest', {
    async run(context, deps) {
      const instance = deps.model.instances.get(context.input.uuid)
      const { host } = context.outputs.host
      try {
        await inEvent(deps, context, eventName, host, async () => {
          const args = await spawnArgs(instance, deps, context.input)
          await askCancellably(deps.queue, host, 'spawn', args, { lane: instance.uuid, signal: context.signal })
        })
      } catch (error) {
        if (context.signal.aborted || !mayTryElsewhere(error)) throw error
        deps.scheduler.noteBuild(host, false)
        throw new RetryFrom('host', messageOf(error), { cause: error })
      }
      return { startedAt: deps.clock.text() }
    },
    commit(context, _output, deps) {
      const { uuid } = context.input
      deps.adminPasswords.delete(uuid)
      deps.scheduler.noteBuild(context.outputs.host.host, true)
      const change = { vm_state: 'active', power_state: PowerState.running, launched_at: deps.clock.text() } as const
      if (!letGo(deps, context, buildTasks, change)) return
      if (context.requestId !== null) deps.model.actions.finish(uuid, context.requestId)
      const instance = deps.model.instances.get(uuid)
      deps.db.afterCommit(() => notify(deps.queue, 'create.end', instance, context))
    },
    async undo({ input, outputs }, deps) {
      const host = outputs.host?.host
      if (host === undefined) return
      const portIds = outputs.ports ?? []
      await askHost(deps.queue, host, 'destroy', { uuid: input.uuid, portIds })
    },
  })
  .end({
    maxAttempts: ({ config }) => config.get(schedulerConfig).maxAttempts,
    undone(context, error, deps) {
      const { input, requestId, attempt } = context
      const { model, log, queue, db, adminPasswords } = deps
      if (!letGo(deps, context, buildTasks, { vm_state: 'error', power_state: PowerState.noState })) return
      adminPasswords.delete(input.uuid)
      const failure =
        attempt > 1 && error instanceof RetryFrom
          ? new Error(`Exceeded maximum number of retries: ${attempt} hosts failed.`, { cause: error })
          : error
      if (error instanceof NoValidHost)
        log.warn({ instance: input.uuid, request_id: requestId, rejections: error.rejections }, error.message)
      const { message } = recordFailure(deps, { uuid: input.uuid, requestId, host: null }, failure)
      const instance = model.instances.get(input.uuid)
      db.afterCommit(() => notify(queue, 'create.error', instance, { requestId, fault: message }))
    },
  })

/** A full disk or a refusing hypervisor may be one host's alone; a bad image is bad everywhere. */
const mayTryElsewhere = (error: unknown): boolean =>
  error instanceof GuestError || (error instanceof CloudError && error.kind === 'unavailable')

/** What a host is told to make of a server. */
export async function spawnArgs(
  instance: Instance,
  deps: ConductorDeps,
  { imageProperties = instance.imageProperties, personality = [] }: Partial<Pick<BuildInput, 'imageProperties' | 'personality'>> = {},
): Promise<SpawnArgs> {
  return {
    uuid: instance.uuid,
    name: Instances.hypervisorName(instance),
    displayName: instance.name,
    projectId: instance.projectId,
    userId: instance.userId,
    flavor: instance.flavor,
    imageId: instance.imageId ?? '',
    imageProperties,
    kernelId: instance.kernelId,
    ramdiskId: instance.ramdiskId,
    disks: deps.model.extras.disksUnder(instance.uuid, instance.flavor),
    ports: instance.ports.map(({ portId, mac }) => ({ portId, mac })),
    configDrive: await driveOf(instance, personality, deps),
  }
}

/** The config drive with the password that is at hand, if any. */
export async function driveOf(
  instance: Instance,
  personality: readonly InjectedFile[],
  deps: ConductorDeps,
): Promise<SpawnArgs['configDrive']> {
  if (!instance.configDrive) return null
  const { configDriveFormat } = deps.config.get(computeConfig)
  const injected = personality.map(({ path, base64 }) => ({ path, data: Buffer.from(base64, 'base64') }))
  const files = await deps.configDriveFiles(instance, deps.adminPasswords.get(instance.uuid) ?? null, injected)
  return {
    format: configDriveFormat,
    files: files.map(({ path, data }) => ({ path, base64: Buffer.from(data).toString('base64') })),
  }
}

/** The grace that a guest is given to shut down, in milliseconds. */
export const graceMs = ({ config }: Pick<ConductorDeps, 'config'>): number => config.get(novaConfig).shutdownTimeout * 1000
