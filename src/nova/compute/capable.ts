/**
 * Messages that only some hypervisors can answer: snapshots, rescue, resize, interfaces, what an agent inside the guest
 * does, and moves. Where the driver lacks the capability the message is refused, never ignored.
 */
import { createReadStream } from 'node:fs'
import { notImplemented } from '../../base/errors.ts'
import type { ComputeDriver, CopyProgress, GuestSpec } from '../virt/index.ts'
import { type GuestFiles, nicOf, rescueSpec } from './guest-spec.ts'
import type { ImageFiles, Plugs } from './manager.ts'
import { type Capability, type ComputeCalls, capabilityNames, type SpawnArgs } from './messages.ts'

type Names =
  | 'capabilities'
  | 'snapshot'
  | 'rescue'
  | 'unrescue'
  | 'resize'
  | 'confirmResize'
  | 'revertResize'
  | 'attachInterface'
  | 'detachInterface'
  | 'setPassword'
  | 'diagnostics'
  | 'injectNmi'
  | 'depart'
  | 'arrive'
  | 'checkSend'
  | 'expectGuest'
  | 'sendGuest'
  | 'forceComplete'
  | 'receiveGuest'
  | 'hostPower'
  | 'hostMaintenance'
  | 'cacheImages'

export type CapableMethods = { [M in Names]: (args: ComputeCalls[M][0]) => Promise<ComputeCalls[M][1]> }

export type CapableDeps = {
  driver: ComputeDriver
  images: ImageFiles
  networks: Plugs
  specOf(args: SpawnArgs, signal: AbortSignal): Promise<GuestSpec>
  filesOf(args: Pick<SpawnArgs, 'imageId' | 'kernelId' | 'ramdiskId'>, signal: AbortSignal): Promise<GuestFiles>
  cancellable<T>(uuid: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** So much of a guest is copied to another host. */
  copied(uuid: string, progress: CopyProgress): void
  /** A snapshot is taken, and its bytes are on their way. */
  uploading(uuid: string): void
}

/** Ends the sentence that a host cannot do something. */
export const capabilityWords: Record<Capability, string> = {
  snapshots: 'take snapshots of guests',
  rescue: 'rescue guests',
  resize: 'resize guests',
  interfaces: 'change interfaces of guests',
  setPassword: 'set passwords inside guests',
  diagnostics: 'tell diagnostics of guests',
  injectNmi: 'interrupt guests',
  moves: 'move guests between hosts',
  hostControl: 'turn its host on and off or maintain it',
  liveMigration: 'move guests to other hosts while they run',
}

export function capableMethods({ driver, images, networks, specOf, filesOf, cancellable, uploading, copied }: CapableDeps): CapableMethods {
  /** @throws {CloudError} `not-implemented`. */
  const need = <C extends Capability>(name: C): NonNullable<ComputeDriver[C]> => {
    const found = driver[name]
    if (!found) throw notImplemented(`The hypervisor of this host cannot ${capabilityWords[name]}.`)
    return found
  }
  const nothing = async (work: Promise<unknown>): Promise<null> => {
    await work
    return null
  }
  return {
    capabilities: async () => capabilityNames.filter((name) => driver[name] !== undefined),
    snapshot: async ({ uuid, imageId }) =>
      await cancellable(uuid, async (signal) => {
        await using snapshot = await need('snapshots').take(uuid, signal)
        uploading(uuid)
        await images.fill(imageId, createReadStream(snapshot.file, { signal }), snapshot.format)
        return null
      }),
    rescue: async (args) =>
      await cancellable(
        args.uuid,
        async (signal) => await nothing(need('rescue').enter(args.uuid, rescueSpec(args, await filesOf(args, signal)), signal)),
      ),
    unrescue: async ({ uuid }) => await nothing(need('rescue').leave(uuid)),
    resize: async (args) =>
      await cancellable(args.uuid, async (signal) => await nothing(need('resize').apply(await specOf(args, signal), args.start, signal))),
    confirmResize: async ({ uuid }) => await nothing(need('resize').confirm(uuid)),
    revertResize: async ({ uuid, start }) => await nothing(need('resize').revert(uuid, start)),
    async attachInterface({ uuid, portId, flavor, imageProperties }) {
      const interfaces = need('interfaces')
      const plugged = await networks.plug(portId)
      return await nothing(interfaces.attach(uuid, nicOf({ portId, ...plugged }, flavor, imageProperties)))
    },
    async detachInterface({ uuid, portId, mac }) {
      await need('interfaces').detach(uuid, mac)
      return await nothing(networks.unplug(portId))
    },
    setPassword: async ({ uuid, user, password }) => await nothing(need('setPassword').call(driver, uuid, user, password)),
    diagnostics: async ({ uuid }) => await need('diagnostics').call(driver, uuid),
    injectNmi: async ({ uuid }) => await nothing(need('injectNmi').call(driver, uuid)),
    depart: async ({ uuid }) =>
      await cancellable(uuid, async (signal) => ({
        luggage: Buffer.from(await need('moves').depart(uuid, signal)).toString('base64'),
      })),
    arrive: async ({ spawn, luggage, start }) =>
      await cancellable(
        spawn.uuid,
        async (signal) => await nothing(need('moves').arrive(await specOf(spawn, signal), Buffer.from(luggage, 'base64'), start, signal)),
      ),
    checkSend: async ({ uuid, copiesDisks }) => await need('liveMigration').refusal(uuid, copiesDisks),
    expectGuest: async (args) =>
      await cancellable(args.uuid, async (signal) => ({ to: await need('liveMigration').expect(await specOf(args, signal), signal) })),
    sendGuest: async ({ uuid, to, copiesDisks }) =>
      await cancellable(uuid, async (signal) => {
        const how = { copiesDisks, signal, onProgress: (progress: CopyProgress) => copied(uuid, progress) }
        return { luggage: Buffer.from(await need('liveMigration').send(uuid, to, how)).toString('base64') }
      }),
    forceComplete: async ({ uuid }) => await nothing(need('liveMigration').forceComplete(uuid)),
    receiveGuest: async ({ spawn, luggage }) =>
      await cancellable(
        spawn.uuid,
        async (signal) => await nothing(need('liveMigration').receive(await specOf(spawn, signal), Buffer.from(luggage, 'base64'), signal)),
      ),
    hostPower: async ({ action }) => await nothing(need('hostControl').power(action)),
    hostMaintenance: async ({ on }) => await nothing(need('hostControl').maintain(on)),
    async cacheImages({ imageIds }) {
      if (driver.usesImageFiles) for (const id of imageIds) await images.baseFile(id)
      return null
    },
  }
}
