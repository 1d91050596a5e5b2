/**
 * What happens to domains, told by the daemon unasked. Each kind is registered on its own; a daemon that lacks one lacks only that.
 *
 * @see https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainEventID
 */
import { type Codec, i32, i64, struct, u64 } from './codec.ts'
import type { Packet } from './framing.ts'
import { type DomainRef, domainRef, maybeText, remoteProgram, type TypedParam, text, typedParams } from './protocol.ts'
import { XdrReader } from './xdr.ts'

type About = { domain: DomainRef }

export type DomainEvent =
  | (About & { kind: 'lifecycle'; event: number; detail: number })
  | (About & { kind: 'reboot' })
  | (About & { kind: 'rtc-change'; offsetS: number })
  | (About & { kind: 'watchdog'; action: number })
  | (About & { kind: 'io-error'; path: string; device: string; action: number; reason: string })
  | (About & { kind: 'control-error' })
  | (About & { kind: 'device-added'; device: string })
  | (About & { kind: 'device-removed'; device: string })
  | (About & { kind: 'device-removal-failed'; device: string })
  | (About & { kind: 'job-completed'; params: TypedParam[] })
  | (About & { kind: 'block-job-2'; disk: string; type: number; status: number })
  | (About & { kind: 'block-threshold'; device: string; path: string | null; threshold: number; excess: number })
  | (About & { kind: 'agent-lifecycle'; state: number; reason: number })
  | (About & { kind: 'migration-iteration'; iteration: number })
  | (About & { kind: 'balloon-change'; actualKib: number })

type Kind = DomainEvent['kind']
type Body<K extends Kind> = Omit<Extract<DomainEvent, { kind: K }>, 'kind'>
type EventType<K extends Kind> = {
  /** To register with. */ id: number /** The procedure that brings it. */
  procedure: number
  body: Codec<Body<K>>
}

const device = struct({ domain: domainRef, device: text })

export const eventTypes: { [K in Kind]: EventType<K> } = {
  lifecycle: { id: 0, procedure: 318, body: struct({ domain: domainRef, event: i32, detail: i32 }) },
  reboot: { id: 1, procedure: 319, body: struct({ domain: domainRef }) },
  'rtc-change': { id: 2, procedure: 320, body: struct({ domain: domainRef, offsetS: i64 }) },
  watchdog: { id: 3, procedure: 321, body: struct({ domain: domainRef, action: i32 }) },
  'io-error': { id: 6, procedure: 324, body: struct({ domain: domainRef, path: text, device: text, action: i32, reason: text }) },
  'control-error': { id: 7, procedure: 325, body: struct({ domain: domainRef }) },
  'balloon-change': { id: 13, procedure: 331, body: struct({ domain: domainRef, actualKib: u64 }) },
  'device-removed': { id: 15, procedure: 333, body: device },
  'block-job-2': { id: 16, procedure: 339, body: struct({ domain: domainRef, disk: text, type: i32, status: i32 }) },
  'agent-lifecycle': { id: 18, procedure: 348, body: struct({ domain: domainRef, state: i32, reason: i32 }) },
  'device-added': { id: 19, procedure: 354, body: device },
  'migration-iteration': { id: 20, procedure: 359, body: struct({ domain: domainRef, iteration: i32 }) },
  'job-completed': { id: 21, procedure: 363, body: struct({ domain: domainRef, params: typedParams(64) }) },
  'device-removal-failed': { id: 22, procedure: 367, body: device },
  'block-threshold': {
    id: 24,
    procedure: 385,
    body: struct({ domain: domainRef, device: text, path: maybeText, threshold: u64, excess: u64 }),
  },
}

const byProcedure = new Map(Object.entries(eventTypes).map(([kind, type]) => [type.procedure, { kind: kind as Kind, type }]))

/**
 * The event that a packet brings, or undefined when it is of a kind unknown here.
 * @throws {XdrError} when its bytes are not what the kind says
 */
export function readEvent(packet: Packet): DomainEvent | undefined {
  const known = packet.program === remoteProgram.id ? byProcedure.get(packet.procedure) : undefined
  if (!known) return undefined
  const reader = new XdrReader(packet.payload)
  reader.i32()
  const body = known.type.body.read(reader)
  reader.end()
  return { kind: known.kind, ...body } as DomainEvent
}
