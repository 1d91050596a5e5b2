/**
 * Codecs: how a structure of the protocol becomes bytes and back, said once, with its TypeScript type following from it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4506 for the types
 */
import { XdrError, type XdrReader, type XdrWriter } from './xdr.ts'

export type Codec<T> = { read: (reader: XdrReader) => T; write: (writer: XdrWriter, value: T) => void }
export type Value<C> = C extends Codec<infer T> ? T : never

export const u32: Codec<number> = { read: (r) => r.u32(), write: (w, v) => w.u32(v) }
export const i32: Codec<number> = { read: (r) => r.i32(), write: (w, v) => w.i32(v) }
export const u64: Codec<number> = { read: (r) => r.u64(), write: (w, v) => w.u64(v) }
export const i64: Codec<number> = { read: (r) => r.i64(), write: (w, v) => w.i64(v) }
/** An `int` that holds a truth value; C counts everything but 0 as true. */
export const flag: Codec<boolean> = { read: (r) => r.i32() !== 0, write: (w, v) => w.i32(v ? 1 : 0) }
export const nothing: Codec<void> = { read: () => undefined, write: () => undefined }

export const string = (max: number): Codec<string> => ({ read: (r) => r.string(max), write: (w, v) => w.string(v, max) })
export const opaque = (max: number): Codec<Buffer> => ({ read: (r) => r.opaque(max), write: (w, v) => w.opaque(v, max) })

/** libvirt's `char[n]`: one XDR integer for each character, ended by a zero. */
export const characters = (length: number): Codec<string> => ({
  read: (r) => {
    const codes: number[] = []
    for (let i = 0; i < length; i++) codes.push(r.i32() & 0xff)
    const end = codes.indexOf(0)
    return Buffer.from(end < 0 ? codes : codes.slice(0, end)).toString('utf8')
  },
  write: (w, v) => {
    const bytes = Buffer.from(v)
    for (let i = 0; i < length; i++) w.i32(i < length - 1 ? (bytes[i] ?? 0) : 0)
  },
})

export const optional = <T>(codec: Codec<T>): Codec<T | null> => ({
  read: (r) => (r.bool() ? codec.read(r) : null),
  write: (w, v) => {
    w.bool(v !== null)
    if (v !== null) codec.write(w, v)
  },
})

/** No element of the protocol is shorter than four bytes, which bounds the count by the bytes that are there. */
export const array = <T>(codec: Codec<T>, max: number): Codec<T[]> => ({
  read: (r) => {
    const values: T[] = []
    for (let left = r.length(max, 4); left > 0; left--) values.push(codec.read(r))
    return values
  },
  write: (w, v) => {
    w.count(v.length, max)
    for (const value of v) codec.write(w, value)
  },
})

// biome-ignore lint/suspicious/noExplicitAny: a field may hold any type; the struct's own type is exact.
type Fields = Record<string, Codec<any>>

/** The fields in the order in which they are written here, which is the order on the wire. */
export function struct<F extends Fields>(fields: F): Codec<{ [K in keyof F]: Value<F[K]> }> {
  const entries = Object.entries(fields)
  return {
    read: (r) => {
      const value: Record<string, unknown> = {}
      for (const [name, codec] of entries) value[name] = codec.read(r)
      return value as { [K in keyof F]: Value<F[K]> }
    },
    write: (w, v) => {
      for (const [name, codec] of entries) codec.write(w, v[name])
    },
  }
}

/** 16 bytes on the wire, the usual 36 characters in lower case here. */
export const uuid: Codec<string> = {
  read: (r) => {
    const hex = r.fixed(16).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  },
  write: (w, v) => {
    const hex = v.replaceAll('-', '')
    if (!/^[0-9a-f]{32}$/i.test(hex)) throw new XdrError(`'${v}' is not a UUID`)
    w.fixed(Buffer.from(hex, 'hex'), 16)
  },
}
