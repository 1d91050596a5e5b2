/**
 * XDR: the byte order of libvirt's wire. Everything is big-endian and a multiple of four bytes long.
 *
 * The reader trusts nothing: each length is held against its limit and against the bytes that are there before it is used,
 * so that a hostile packet costs an {@link XdrError} and no memory. 64-bit integers are read as `number`: above 2^53
 * (a "no limit" value, a hundred days of CPU nanoseconds) they are rounded; the writer takes `bigint` where that matters.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4506
 */

/** The bytes are not what the protocol says, or a value does not fit the protocol. */
export class XdrError extends Error {
  override name = 'XdrError'
}

const padding = (length: number): number => (4 - (length & 3)) & 3

export class XdrReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes
    this.#at = start
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  /** @throws {XdrError} when bytes are left over: a sign that the other side means another structure. */
  end(): void {
    if (this.remaining !== 0) throw new XdrError(`${this.remaining} bytes too many`)
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  i32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  u64(): number {
    return Number(this.#bytes.readBigUInt64BE(this.#take(8)))
  }

  i64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#take(8)))
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  bool(): boolean {
    const value = this.u32()
    if (value > 1) throw new XdrError(`${value} is not a boolean`)
    return value === 1
  }

  /** Bytes of a length that the protocol fixes. The result is a view on the packet, not a copy. */
  fixed(length: number): Buffer {
    const at = this.#take(length + padding(length))
    return this.#bytes.subarray(at, at + length)
  }

  /** Bytes behind their length. The result is a view on the packet, not a copy. */
  opaque(max: number): Buffer {
    return this.fixed(this.length(max, 1))
  }

  string(max: number): string {
    return this.opaque(max).toString('utf8')
  }

  /** A count of things of at least `size` bytes each, which must fit into the rest of the packet. */
  length(max: number, size: number): number {
    const length = this.u32()
    if (length > max) throw new XdrError(`length ${length} is above the limit of ${max}`)
    if (length * size > this.remaining) throw new XdrError(`length ${length} is more than the packet holds`)
    return length
  }

  #take(length: number): number {
    if (length > this.remaining) throw new XdrError(`packet ends ${length - this.remaining} bytes too early`)
    const at = this.#at
    this.#at += length
    return at
  }
}

export class XdrWriter {
  #bytes: Buffer
  #at: number

  /** @param headroom bytes left free at the front, for a header that is known last. */
  constructor(headroom = 0, capacity = 512) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacity, headroom))
    this.#at = headroom
  }

  /** What was written, headroom included. The writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new XdrError(`${value} is not an unsigned 32-bit integer`)
    const at = this.#make(4)
    this.#bytes.writeUInt32BE(value, at)
  }

  i32(value: number): void {
    if (!Number.isInteger(value) || value < -0x8000_0000 || value > 0x7fff_ffff) throw new XdrError(`${value} is not a 32-bit integer`)
    const at = this.#make(4)
    this.#bytes.writeInt32BE(value, at)
  }

  u64(value: number | bigint): void {
    const big = toBigInt(value)
    if (big < 0n || big > 0xffff_ffff_ffff_ffffn) throw new XdrError(`${value} is not an unsigned 64-bit integer`)
    const at = this.#make(8)
    this.#bytes.writeBigUInt64BE(big, at)
  }

  i64(value: number | bigint): void {
    const big = toBigInt(value)
    if (big < -0x8000_0000_0000_0000n || big > 0x7fff_ffff_ffff_ffffn) throw new XdrError(`${value} is not a 64-bit integer`)
    const at = this.#make(8)
    this.#bytes.writeBigInt64BE(big, at)
  }

  double(value: number): void {
    const at = this.#make(8)
    this.#bytes.writeDoubleBE(value, at)
  }

  bool(value: boolean): void {
    this.u32(value ? 1 : 0)
  }

  fixed(value: Uint8Array, length: number): void {
    if (value.length !== length) throw new XdrError(`${value.length} bytes where the protocol has ${length}`)
    const at = this.#make(length + padding(length))
    this.#bytes.set(value, at)
    this.#bytes.fill(0, at + length, this.#at)
  }

  opaque(value: Uint8Array, max: number): void {
    this.#length(value.length, max)
    this.fixed(value, value.length)
  }

  /** A zero byte is refused: the other side is C, and would silently use the part in front of it. */
  string(value: string, max: number): void {
    if (value.includes('\0')) throw new XdrError('a string holds a zero byte')
    const length = Buffer.byteLength(value)
    this.#length(length, max)
    const at = this.#make(length + padding(length))
    this.#bytes.write(value, at, length, 'utf8')
    this.#bytes.fill(0, at + length, this.#at)
  }

  count(length: number, max: number): void {
    this.#length(length, max)
  }

  #length(length: number, max: number): void {
    if (length > max) throw new XdrError(`length ${length} is above the limit of ${max}`)
    this.u32(length)
  }

  #make(length: number): number {
    const at = this.#at
    const end = at + length
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    this.#at = end
    return at
  }
}

function toBigInt(value: number | bigint): bigint {
  if (typeof value === 'bigint') return value
  if (!Number.isInteger(value)) throw new XdrError(`${value} is not an integer`)
  return BigInt(value)
}
