import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { array, type Codec, characters, i32, i64, opaque, optional, string, struct, u32, u64, uuid } from './codec.ts'
import { eventTypes, readEvent } from './events.ts'
import { encode, encodeRaw, MessageType, maxMessageBytes, PacketSplitter } from './framing.ts'
import { procedures } from './procedures.ts'
import { errorBody, remoteProgram, type TypedParam, typedParam } from './protocol.ts'
import { XdrError, XdrReader, XdrWriter } from './xdr.ts'

function bytesOf<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter()
  codec.write(writer, value)
  return writer.finish()
}

function roundTrip<T>(codec: Codec<T>, value: T): T {
  const reader = new XdrReader(bytesOf(codec, value))
  const result = codec.read(reader)
  reader.end()
  return result
}

const anyUuid = fc.uuid()
const cString = fc.string({ unit: 'grapheme' }).filter((s) => !s.includes('\0'))
const double = (min: number, max: number) => fc.integer({ min, max })

describe('XDR', () => {
  test('is laid out as RFC 4506 has it', () => {
    expect(bytesOf(struct({ a: u32, s: string(9), o: optional(i32), d: i64 }), { a: 1, s: 'hello', o: -2, d: -1 }).toString('hex')).toBe(
      '00000001' + '00000005' + '68656c6c6f000000' + '00000001' + 'fffffffe' + 'ffffffffffffffff',
    )
  })

  test('what is written is what is read', () => {
    const codec = struct({
      n: u32,
      i: i32,
      big: u64,
      signed: i64,
      name: string(1000),
      raw: opaque(1000),
      id: uuid,
      maybe: optional(string(1000)),
      list: array(struct({ x: i32, y: string(1000) }), 100),
    })
    fc.assert(
      fc.property(
        fc.record({
          n: double(0, 0xffff_ffff),
          i: double(-0x8000_0000, 0x7fff_ffff),
          big: fc.maxSafeNat(),
          signed: fc.maxSafeInteger(),
          name: cString,
          raw: fc.uint8Array({ maxLength: 900 }).map((a) => Buffer.from(a)),
          id: anyUuid,
          maybe: fc.option(cString, { nil: null }),
          list: fc.array(fc.record({ x: fc.integer(), y: cString }), { maxLength: 20 }),
        }),
        (value) => {
          expect(roundTrip(codec, value)).toEqual(value)
        },
      ),
    )
  })

  test('typed parameters keep their type', () => {
    const param: fc.Arbitrary<TypedParam> = fc.oneof(
      fc.record({ name: cString, type: fc.constantFrom('int' as const), value: fc.integer() }),
      fc.record({ name: cString, type: fc.constantFrom('uint' as const), value: double(0, 0xffff_ffff) }),
      fc.record({ name: cString, type: fc.constantFrom('llong' as const), value: fc.maxSafeInteger() }),
      fc.record({ name: cString, type: fc.constantFrom('ullong' as const), value: fc.maxSafeNat() }),
      fc.record({ name: cString, type: fc.constantFrom('double' as const), value: fc.double({ noNaN: true }) }),
      fc.record({ name: cString, type: fc.constantFrom('boolean' as const), value: fc.boolean() }),
      fc.record({ name: cString, type: fc.constantFrom('string' as const), value: cString }),
    )
    fc.assert(
      fc.property(param, (value) => {
        expect(roundTrip(typedParam, value)).toEqual(value)
      }),
    )
  })

  test('a fixed text of characters ends at its zero', () => {
    expect(roundTrip(characters(8), 'x86_64')).toBe('x86_64')
    expect(roundTrip(characters(4), 'x86_64')).toBe('x86')
  })

  test.each<[string, () => unknown]>([
    ['a length above the limit', () => string(4).read(new XdrReader(Buffer.from('0000000568656c6c6f000000', 'hex')))],
    ['a length that the packet does not hold', () => string(0xffff_ffff).read(new XdrReader(Buffer.from('fffffff068656c6c', 'hex')))],
    ['a count that the packet does not hold', () => array(u32, 0xffff_ffff).read(new XdrReader(Buffer.from('7fffffff00000000', 'hex')))],
    ['a boolean of 2', () => optional(u32).read(new XdrReader(Buffer.from('0000000200000000', 'hex')))],
    ['padding that is missing', () => string(9).read(new XdrReader(Buffer.from('0000000168', 'hex')))],
    ['an unknown type of parameter', () => typedParam.read(new XdrReader(Buffer.from('000000000000000800000000', 'hex')))],
    ['a zero byte in a string', () => bytesOf(string(9), 'a\0b')],
    ['a string above the limit', () => bytesOf(string(2), 'abc')],
    ['a list above the limit', () => bytesOf(array(u32, 1), [1, 2])],
    ['a number above 32 bits', () => bytesOf(u32, 2 ** 32)],
    ['a fraction', () => bytesOf(u64, 0.5)],
    ['what is no UUID', () => bytesOf(uuid, 'not-a-uuid')],
  ])('refuses %s', (_, attempt) => {
    expect(attempt).toThrow(XdrError)
  })

  test('a count is held against the packet before a single element is read', () => {
    let read = 0
    const counting: Codec<number> = { read: () => ++read, write: () => undefined }
    expect(() => array(counting, 0xffff_ffff).read(new XdrReader(Buffer.from('00000003ffffffffffffffff', 'hex')))).toThrow(
      'more than the packet holds',
    )
    expect(read).toBe(0)
  })

  test('64 bits go out whole as bigint and come back rounded', () => {
    const writer = new XdrWriter()
    writer.u64(0xffff_ffff_ffff_ffffn)
    expect(writer.finish().toString('hex')).toBe('ffffffffffffffff')
    expect(new XdrReader(Buffer.from('ffffffffffffffff', 'hex')).u64()).toBe(2 ** 64)
  })
})

describe('hostile bytes', () => {
  const codecs: Codec<unknown>[] = [
    ...Object.values(procedures).flatMap(({ args, ret }) => [args, ret] as unknown as Codec<unknown>[]),
    ...Object.values(eventTypes).map(({ body }) => body as Codec<unknown>),
    errorBody as Codec<unknown>,
  ]
  const mostlySmallWords = fc
    .array(fc.oneof(fc.constantFrom(0, 1, 2, 3, 7, 16), fc.integer({ min: 0, max: 0xffff_ffff })), { maxLength: 60 })
    .map((words) => {
      const bytes = Buffer.alloc(words.length * 4)
      for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, i * 4)
      return bytes
    })

  test('make each structure of the protocol throw XdrError or be read, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(mostlySmallWords, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        for (const codec of codecs) {
          try {
            codec.read(new XdrReader(Buffer.from(bytes)))
          } catch (error) {
            expect(error).toBeInstanceOf(XdrError)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('in an event make an XdrError', () => {
    const header = { program: remoteProgram.id, version: 1, procedure: 318, type: MessageType.message, serial: 0, status: 0 }
    expect(() => readEvent({ ...header, payload: Buffer.alloc(5) })).toThrow(XdrError)
    expect(readEvent({ ...header, procedure: 9999, payload: Buffer.alloc(5) })).toBeUndefined()
  })

  test('never make the splitter do worse than XdrError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), (chunks) => {
        const splitter = new PacketSplitter()
        try {
          for (const chunk of chunks) splitter.push(Buffer.from(chunk))
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError)
        }
      }),
    )
  })
})

describe('framing', () => {
  const header = { program: 1, version: 2, procedure: 3, type: 1, serial: 5, status: 0 }

  test('packets come out as they went in, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 }), fc.array(fc.nat(400)), (payloads, cuts) => {
        const wire = Buffer.concat(payloads.map((payload, serial) => encodeRaw({ ...header, serial }, payload)))
        const splitter = new PacketSplitter()
        const packets = []
        let at = 0
        for (const cut of [...cuts, wire.length]) {
          if (at < wire.length) packets.push(...splitter.push(wire.subarray(at, at + cut)))
          at += cut
        }
        expect(packets.map(({ serial, payload }) => [serial, [...payload]])).toEqual(payloads.map((payload, i) => [i, [...payload]]))
      }),
    )
  })

  test('a length that no packet has ends it before anything is kept', () => {
    for (const length of [0, 27, maxMessageBytes + 5, 0xffff_ffff]) {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(length)
      expect(() => new PacketSplitter().push(bytes)).toThrow(XdrError)
    }
  })

  test('a message above 32 MiB is not sent', () => {
    expect(() => encodeRaw(header, Buffer.alloc(maxMessageBytes))).toThrow(XdrError)
  })

  test('a call is one packet with its length in front', () => {
    const packet = encode(header, u32, 7)
    expect(packet.toString('hex')).toBe(
      '00000020' + '00000001' + '00000002' + '00000003' + '00000001' + '00000005' + '00000000' + '00000007',
    )
  })
})

test('each procedure has a number of its own', () => {
  const numbers = Object.values(procedures).map(({ program, number }) => `${program.id} ${number}`)
  expect(new Set(numbers).size).toBe(numbers.length)
})
