/**
 * Packets: a length word (bytes, itself included), six header words, then the payload.
 *
 * @see https://libvirt.org/kbase/internals/rpc.html
 */

import type { Codec } from './codec.ts'
import { XdrError, XdrWriter } from './xdr.ts'

export const MessageType = { call: 0, reply: 1, message: 2, stream: 3, streamHole: 6 } as const
export const MessageStatus = { ok: 0, error: 1, continue: 2 } as const

export type Header = { program: number; version: number; procedure: number; type: number; serial: number; status: number }
export type Packet = Header & { payload: Buffer }

const lengthBytes = 4
const headerBytes = 28
/** The largest message that libvirt sends or takes, without the length word. */
export const maxMessageBytes = 32 * 1024 * 1024
/** What one stream packet carries at most: the limit of the oldest daemons, which the newest still keep to. */
export const maxStreamBytes = 262_120

/** @throws {XdrError} when the value does not fit the codec or the packet would be too large. */
export function encode<T>(header: Header, codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter(headerBytes)
  codec.write(writer, value)
  return writeHeader(writer.finish(), header)
}

/** A packet of raw bytes, as streams have them: neither counted nor padded. */
export function encodeRaw(header: Header, payload?: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(headerBytes + (payload?.length ?? 0))
  if (payload) packet.set(payload, headerBytes)
  return writeHeader(packet, header)
}

function writeHeader(packet: Buffer, header: Header): Buffer {
  if (packet.length - lengthBytes > maxMessageBytes) throw new XdrError(`a message of ${packet.length} bytes is too large`)
  packet.writeUInt32BE(packet.length, 0)
  packet.writeUInt32BE(header.program, 4)
  packet.writeUInt32BE(header.version, 8)
  packet.writeInt32BE(header.procedure, 12)
  packet.writeInt32BE(header.type, 16)
  packet.writeUInt32BE(header.serial, 20)
  packet.writeInt32BE(header.status, 24)
  return packet
}

/** Cuts what arrives into packets. Chunks are joined once for each packet, however many there are. */
export class PacketSplitter {
  #chunks: Buffer[] = []
  #held = 0
  #wanted = 0

  /** @throws {XdrError} at a length that no packet can have; nothing that follows can be understood then. */
  push(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    const packets: Packet[] = []
    while (this.#held >= (this.#wanted || lengthBytes)) {
      if (this.#wanted === 0) {
        this.#wanted = this.#peekLength()
        continue
      }
      packets.push(readPacket(this.#cut(this.#wanted)))
      this.#wanted = 0
    }
    return packets
  }

  #peekLength(): number {
    const first = this.#chunks[0]!
    if (first.length < lengthBytes) this.#chunks = [Buffer.concat(this.#chunks)]
    const length = this.#chunks[0]!.readUInt32BE(0)
    if (length < headerBytes || length > maxMessageBytes + lengthBytes) throw new XdrError(`no packet has ${length} bytes`)
    return length
  }

  #cut(length: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#held -= length
    this.#chunks = this.#held > 0 ? [all.subarray(length)] : []
    return all.subarray(0, length)
  }
}

function readPacket(bytes: Buffer): Packet {
  return {
    program: bytes.readUInt32BE(4),
    version: bytes.readUInt32BE(8),
    procedure: bytes.readInt32BE(12),
    type: bytes.readInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readInt32BE(24),
    payload: bytes.subarray(headerBytes),
  }
}
