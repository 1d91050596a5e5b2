/**
 * Network interfaces of a server, attached and detached while it is there: first the port, then the guest; the other way
 * round when one goes. An attachment that fails gives its port back.
 */
import { saga } from '../../base/saga/index.ts'
import { GuestError } from '../virt/index.ts'
import { askHost } from './compute-client.ts'
import type { ConductorDeps } from './deps.ts'
import { type Ending, ended, endedBadly } from './endings.ts'
import { eventOf, inEvent } from './events.ts'
import type { ActionRule } from './guard.ts'
import { computeOwner, type RequestedNic, readPorts } from './ports.ts'

export type AttachInput = {
  uuid: string
  host: string
  nic: RequestedNic /** Tells this attachment's port from others of the server. */
  key: string
}
export type DetachInput = { uuid: string; host: string; portId: string; mac: string }

const common = { vmStates: ['active', 'paused', 'stopped'], tasks: [null], task: null } as const
export const attachInterfaceRule: ActionRule = { ...common, name: 'attach_interface' }
export const detachInterfaceRule: ActionRule = { ...common, name: 'detach_interface' }

type Context = { input: { uuid: string; host: string }; requestId: string | null }
const ending = ({ input: { uuid, host }, requestId }: Context, phase: 'interface_attach' | 'interface_detach'): Ending => ({
  uuid,
  requestId,
  host,
  phase,
})

/** The instance's cache of its ports, with the tags that they had and one more. */
function readCache(deps: ConductorDeps, uuid: string, added?: { portId: string; tag: string | null }): void {
  const { ports } = deps.model.instances.get(uuid)
  const tags = new Map(ports.map(({ portId, tag }) => [portId, tag]))
  if (added) tags.set(added.portId, added.tag)
  deps.model.instances.setPorts(
    uuid,
    readPorts(deps, uuid).map((port) => ({ ...port, tag: tags.get(port.portId) ?? null })),
  )
}

function giveBack(deps: ConductorDeps, uuid: string, portId: string): void {
  const port = deps.networks.portsOf(uuid).find(({ id }) => id === portId)
  if (!port) return
  if (port.key === null) deps.networks.detachPort(portId)
  else deps.networks.deletePort(portId)
}

export const attachInterface = saga<AttachInput, ConductorDeps>('attach-interface/1')
  .step('port', {
    run(context, deps) {
      const { uuid, host, nic, key } = context.input
      const { model, networks, db } = deps
      const instance = model.instances.get(uuid)
      const binding = { deviceId: uuid, deviceOwner: computeOwner(instance.availabilityZone ?? 'nova'), host, hostname: instance.hostname }
      const take = () =>
        db.transaction(() => {
          const port =
            nic.portId === null
              ? networks.createPort({
                  ...binding,
                  key,
                  networkId: nic.networkId ?? '',
                  projectId: instance.projectId,
                  securityGroupIds: null,
                  fixedIp: nic.fixedIp,
                  mac: null,
                })
              : networks.attachPort(nic.portId, binding)
          return { portId: port.id, mac: port.mac }
        })
      return inEvent(deps, context, 'compute_attach_interface', host, take, { staysOpen: true })
    },
    commit({ input: { uuid, nic } }, { portId }, deps) {
      readCache(deps, uuid, { portId, tag: nic.tag })
    },
    undo({ input: { uuid, nic, key } }, deps) {
      deps.db.transaction(() => {
        const port = deps.networks.portsOf(uuid).find((one) => (nic.portId === null ? one.key === key : one.id === nic.portId))
        if (port) giveBack(deps, uuid, port.id)
        if (deps.model.instances.find(uuid)) readCache(deps, uuid)
      })
    },
  })
  .step('guest', {
    run: eventOf('compute_attach_interface', async ({ input: { uuid, host }, outputs }, { model, queue }) => {
      const { flavor, imageProperties } = model.instances.get(uuid)
      await askHost(queue, host, 'attachInterface', { uuid, portId: outputs.port.portId, flavor, imageProperties }, uuid)
    }),
    commit(context, _output, deps) {
      readCache(deps, context.input.uuid)
      ended(deps, ending(context, 'interface_attach'))
    },
    async undo({ input: { uuid, host }, outputs }, { queue }) {
      const { portId, mac } = outputs.port ?? {}
      if (portId === undefined || mac === undefined) return
      await askHost(queue, host, 'detachInterface', { uuid, portId, mac }, uuid).catch((undoError: unknown) => {
        // A guest of which nothing can be detached now is one to which nothing could be attached.
        if (!(undoError instanceof GuestError) || !['wrong-state', 'not-found'].includes(undoError.reason)) throw undoError
      })
    },
  })
  .end({
    undone(context, error, deps) {
      if (!context.isSuperseded && deps.model.instances.find(context.input.uuid))
        endedBadly(deps, ending(context, 'interface_attach'), error)
    },
  })

export const detachInterface = saga<DetachInput, ConductorDeps>('detach-interface/1')
  .step('guest', {
    run: eventOf('compute_detach_interface', async ({ input: { uuid, host, portId, mac } }, { queue }) => {
      await askHost(queue, host, 'detachInterface', { uuid, portId, mac }, uuid)
    }),
    commit(context, _output, deps) {
      const { uuid, portId } = context.input
      giveBack(deps, uuid, portId)
      if (!deps.model.instances.find(uuid)) return
      readCache(deps, uuid)
      if (!context.isSuperseded) ended(deps, ending(context, 'interface_detach'))
    },
    oneWay: true,
  })
  .end({
    undone(context, error, deps) {
      if (!context.isSuperseded && deps.model.instances.find(context.input.uuid))
        endedBadly(deps, ending(context, 'interface_detach'), error)
    },
  })
