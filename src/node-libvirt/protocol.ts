/**
 * What the structures of libvirt's programs look like on the wire, and the limits that libvirt sets for them.
 *
 * The numbers and layouts are part of libvirt's promise: none has ever changed, new ones are added at the end.
 *
 * @see https://libvirt.org/kbase/internals/rpc.html
 */
import { array, type Codec, flag, i32, i64, opaque, optional, string, struct, u32, u64, uuid, type Value } from './codec.ts'
import { XdrError } from './xdr.ts'

export const remoteProgram = { id: 0x2000_8086, version: 1 } as const
export const qemuProgram = { id: 0x2000_8087, version: 1 } as const
export const keepAliveProgram = { id: 0x6b65_6570, version: 1 } as const
export const KeepAlive = { ping: 1, pong: 2 } as const

/** What a daemon can be asked about with `connectSupportsFeature`. */
export const Feature = {
  migrationV3: 6,
  fdPassing: 8,
  typedParamString: 9,
  programKeepAlive: 10,
  xmlMigratable: 11,
  migrationOffline: 12,
  migrationParams: 13,
  remoteEventCallback: 14,
  remoteCloseCallback: 15,
} as const

export const text = string(4_194_304)
export const bytes = opaque(4_194_304)
export const maybeText = optional(text)
export const listMax = 16_384

export const domainRef = struct({ name: text, uuid, id: i32 })
export const networkRef = struct({ name: text, uuid })
export const poolRef = struct({ name: text, uuid })
export const volumeRef = struct({ pool: text, name: text, key: text })
export const snapshotRef = struct({ name: text, domain: domainRef })
export type DomainRef = Value<typeof domainRef>
export type NetworkRef = Value<typeof networkRef>
export type PoolRef = Value<typeof poolRef>
export type VolumeRef = Value<typeof volumeRef>
export type SnapshotRef = Value<typeof snapshotRef>

export const errorBody = struct({
  code: i32,
  domain: i32,
  message: maybeText,
  level: i32,
  dom: optional(domainRef),
  text1: maybeText,
  text2: maybeText,
  text3: maybeText,
  number1: i32,
  number2: i32,
  network: optional(networkRef),
})
export type ErrorBody = Value<typeof errorBody>

/** A named value whose type is part of the value; `ullong` above 2^53 comes rounded (see xdr.ts). */
export type TypedParam = { name: string } & (
  | { type: 'int' | 'uint' | 'llong' | 'ullong' | 'double'; value: number }
  | { type: 'boolean'; value: boolean }
  | { type: 'string'; value: string }
)

const paramTypes = ['int', 'uint', 'llong', 'ullong', 'double', 'boolean', 'string'] as const
const double: Codec<number> = { read: (r) => r.double(), write: (w, v) => w.double(v) }
const paramValues = { int: i32, uint: u32, llong: i64, ullong: u64, double, boolean: flag, string: text } as Record<string, Codec<unknown>>

export const typedParam: Codec<TypedParam> = {
  read: (r) => {
    const name = text.read(r)
    const number = r.i32()
    const type = paramTypes[number - 1]
    if (type === undefined) throw new XdrError(`typed parameter '${name}' has the unknown type ${number}`)
    return { name, type, value: paramValues[type]!.read(r) } as TypedParam
  },
  write: (w, param) => {
    text.write(w, param.name)
    w.i32(paramTypes.indexOf(param.type) + 1)
    paramValues[param.type]!.write(w, param.value)
  },
}

export const typedParams = (max: number): Codec<TypedParam[]> => array(typedParam, max)

/** A call that the other side understands: its number in its program, and what goes there and back. */
export type Procedure<A, R> = { name: string; program: { id: number; version: number }; number: number; args: Codec<A>; ret: Codec<R> }

export function procedure<A, R>(number: number, args: Codec<A>, ret: Codec<R>, program: { id: number; version: number } = remoteProgram) {
  return { name: '', program, number, args, ret } as Procedure<A, R>
}

/** Gives each procedure of a table the name that it has there. */
// biome-ignore lint/suspicious/noExplicitAny: the table's own type is exact.
export function named<T extends Record<string, Procedure<any, any>>>(table: T): T {
  for (const [name, entry] of Object.entries(table)) entry.name = name
  return table
}
