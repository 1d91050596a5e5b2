/**
 * Writes ASN.1 values in their distinguished encoding, as far as certificates and key files need.
 *
 * @see https://www.itu.int/rec/T-REC-X.690
 */

function tagged(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body])
  const length = Buffer.from(
    body.length
      .toString(16)
      .padStart(8, '0')
      .replace(/^(00){1,3}/, ''),
    'hex',
  )
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body])
}

export const sequence = (...items: Uint8Array[]): Buffer => tagged(0x30, ...items)
export const setOf = (...items: Uint8Array[]): Buffer => tagged(0x31, ...items)
/** A value inside a tag of its context. */
export const inside = (number: number, ...items: Uint8Array[]): Buffer => tagged(0xa0 | number, ...items)
export const octets = (bytes: Uint8Array): Buffer => tagged(0x04, bytes)
/** Whole bytes of bits. */
export const bits = (bytes: Uint8Array): Buffer => tagged(0x03, Buffer.of(0), bytes)
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text))
export const nothing = (): Buffer => tagged(0x05)

/** Of zero or more, big-endian: leading zeros go, and one comes where the first bit would be read as a sign. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const short = first < 0 ? Buffer.of(0) : bytes.subarray(first)
  return tagged(0x02, (short[0] ?? 0) >= 0x80 ? Buffer.of(0) : Buffer.alloc(0), short)
}
export const small = (value: number): Buffer => integer(Buffer.from(value.toString(16).padStart(8, '0'), 'hex'))

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const base128 = (value: number): number[] => {
    const low = [value & 0x7f]
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) low.unshift((left & 0x7f) | 0x80)
    return low
  }
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

/** To the second; years from 2050 on need the longer form. */
export function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  return at.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text))
}
