/** The bytes of images: sent, staged, inspected, given back, and where they lie. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CallOptions } from '../support/api.ts'
import { bytes, demo, type ImageWorld, imageCalls, startImages } from '../support/image.ts'

const uuid = '7f9e2b1a-0c1d-4e5f-8a9b-0123456789ab'

let world: ImageWorld
beforeEach(() => {
  world = startImages()
})
afterEach(() => world[Symbol.asyncDispose]())
const { create, upload } = imageCalls(() => world.api)

describe('data', () => {
  it('takes bytes, hashes them, and gives them back whole and in parts', async () => {
    const { id } = await create()
    expect((await upload(id, bytes('hello world'))).status).toBe(204)
    const { body } = await world.api.call('GET', `/images/${id}`, demo)
    expect(body).toMatchObject({
      status: 'active',
      size: 11,
      virtual_size: 11,
      checksum: '5eb63bbbe01eeed093cb22bb8f5acdc3',
      os_hash_algo: 'sha512',
      os_hash_value: expect.stringMatching(/^309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f/),
    })
    const file = (headers = {}) => world.api.call('GET', `/images/${id}/file`, { ...demo, headers })
    const whole = await file()
    expect([whole.status, whole.text, whole.headers.get('content-md5'), whole.headers.get('content-length')]).toEqual([
      200,
      'hello world',
      body.checksum,
      '11',
    ])
    const part = await file({ range: 'bytes=6-' })
    expect([part.status, part.text, part.headers.get('content-range')]).toEqual([206, 'world', 'bytes 6-10/11'])
    expect((await file({ range: 'bytes=-5' })).text).toBe('world')
    expect((await file({ range: 'bytes=0-4' })).text).toBe('hello')
    for (const range of ['bytes=11-', 'bytes=5-4', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-'])
      expect((await file({ range })).status, range).toBe(416)
  })
  it('has none to give before they came', async () => {
    const { id } = await create()
    expect((await world.api.call('GET', `/images/${id}/file`, demo)).status).toBe(204)
  })
  it('takes them once', async () => {
    const { id } = await create()
    await upload(id, bytes('a'))
    expect((await upload(id, bytes('b'))).status).toBe(409)
    expect((await world.api.call('GET', `/images/${id}/file`, demo)).text).toBe('a')
  })
  it.each<[string, object, CallOptions, number]>([
    ['of another media type', {}, { headers: { 'content-type': 'application/json' } }, 415],
    ['without formats', { disk_format: null }, {}, 400],
    ['of an image that nobody knows', { id: uuid }, { token: 'other' }, 404],
    ['that end before they were announced to', {}, { headers: { 'content-length': '4000' } }, 400],
  ])('refuses bytes %s', async (_what, body, options, status) => {
    const { id } = await create(body)
    expect((await upload(id, bytes('abc'), { ...demo, ...options })).status).toBe(status)
    expect((await world.api.call('GET', `/images/${id}`, demo)).body).toMatchObject({ status: 'queued', size: null })
    expect(world.filesOnDisk()).toEqual([])
  })
  it.each<[string, string, string]>([
    ['a qcow2 that calls itself raw', 'raw', `QFI\u00fb\0\0\0\u0003`],
    ['a raw one that calls itself qcow2', 'qcow2', 'hello'],
    ['a VMDK descriptor that names a file of the host', 'vmdk', '# Disk DescriptorFile\nversion=1\nRW 1 FLAT "/etc/shadow" 0\n'],
    ['a format that is never taken', 'ploop', 'hello'],
  ])('refuses %s, saying so, and stays queued', async (_what, disk_format, text) => {
    const { id } = await create({ disk_format })
    const answer = await upload(id, Buffer.from(text.padEnd(70_000, '\0'), 'latin1'))
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/image|Images/)
    expect((await world.api.call('GET', `/images/${id}`, demo)).body).toMatchObject({ status: 'queued', checksum: null })
    expect(world.filesOnDisk()).toEqual([])
  })
  it('refuses a qcow2 with a backing file', async () => {
    const header = Buffer.alloc(65_536)
    header.write('QFI\xfb', 0, 'latin1')
    header.writeUInt32BE(3, 4)
    header.writeBigUInt64BE(512n, 8)
    header.writeUInt32BE(11, 16)
    header.writeUInt32BE(16, 20)
    header.writeBigUInt64BE(1024n * 1024n, 24)
    header.writeUInt32BE(104, 100)
    header.write('/etc/shadow', 512)
    const { id } = await create({ disk_format: 'qcow2' })
    const answer = await upload(id, header)
    expect(answer.status).toBe(400)
    expect(answer.text).toMatch(/backing/)
    expect(answer.text).not.toContain('shadow')
  })
  it('is cut off by the cap and by the quota of a project', async () => {
    await world[Symbol.asyncDispose]()
    world = startImages({ 'image.image_size_cap': '10', 'image.user_storage_quota': '15' })
    const [one, two, three] = [await create(), await create(), await create()]
    expect((await upload(one.id, bytes('12345678901'))).status).toBe(413)
    expect((await upload(one.id, bytes('1234567890'))).status).toBe(204)
    expect((await upload(two.id, bytes('123456'))).status).toBe(413)
    expect((await upload(three.id, bytes('12345'))).status).toBe(204)
    expect((await world.api.call('GET', `/images/${two.id}`, demo)).body.status).toBe('queued')
  })
  it('is queued again when the sender breaks off', async () => {
    const { id } = await create()
    const broken = ReadableStream.from(
      (async function* () {
        yield bytes('some')
        throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
      })(),
    )
    expect(
      (await world.api.call('PUT', `/images/${id}/file`, { ...demo, raw: broken, headers: { 'content-type': 'application/octet-stream' } }))
        .status,
    ).toBe(400)
    expect((await world.api.call('GET', `/images/${id}`, demo)).body.status).toBe('queued')
    expect(world.filesOnDisk()).toEqual([])
    expect((await upload(id, bytes('all of it'))).status).toBe(204)
  })
  it('is gone when the image is deleted meanwhile', async () => {
    const { id } = await create()
    const slow = ReadableStream.from(
      (async function* () {
        yield bytes('some')
        expect((await upload(id, bytes('other'))).status).toBe(409)
        expect((await world.api.call('DELETE', `/images/${id}`, demo)).status).toBe(204)
        yield bytes('more')
      })(),
    )
    expect(
      (await world.api.call('PUT', `/images/${id}/file`, { ...demo, raw: slow, headers: { 'content-type': 'application/octet-stream' } }))
        .status,
    ).toBe(410)
    expect(world.filesOnDisk()).toEqual([])
  })
  it('is staged and then imported', async () => {
    const { id } = await create()
    const importIt = (name: string) => world.api.call('POST', `/images/${id}/import`, { ...demo, body: { method: { name } } })
    expect((await importIt('glance-direct')).status).toBe(409)
    const stage = await world.api.call('PUT', `/images/${id}/stage`, {
      ...demo,
      raw: bytes('hello'),
      headers: { 'content-type': 'application/octet-stream' },
    })
    expect(stage.status).toBe(204)
    expect((await world.api.call('GET', `/images/${id}`, demo)).body.status).toBe('uploading')
    expect((await importIt('web-download')).status).toBe(400)
    expect((await importIt('glance-direct')).status).toBe(202)
    await world.images.settled()
    expect((await world.api.call('GET', `/images/${id}`, demo)).body).toMatchObject({ status: 'active', size: 5 })
    expect(world.filesOnDisk()).toEqual([id])
  })
  it('lies in files that only the owner of the process reads', async () => {
    const { id } = await create()
    await upload(id, bytes('a'))
    expect(statSync(join(world.ground.dataDir, 'images', id)).mode & 0o777).toBe(0o600)
  })
})
