/** Disks that a new server is asked to have: both syntaxes of block device mappings, over HTTP. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'

let cloud: TestCloud
let image: string
const flavors: Record<'large' | 'larger' | 'bare', string> = { large: '', larger: '', bare: '42' }
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)

beforeAll(async () => {
  cloud = await startTestCloud({ flags: { 'quota.instances': '-1', 'quota.cores': '-1', 'quota.ram': '-1' } })
  image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const make = async (name: string, ephemeral: number, swap: number): Promise<string> => {
    const flavor = { name, ram: 64, vcpus: 1, disk: 1, 'OS-FLV-EXT-DATA:ephemeral': ephemeral, swap }
    return (await call('POST', '/flavors', { body: { flavor } })).body.flavor.id
  }
  flavors.large = await make('large', 2, 512)
  flavors.larger = await make('larger', 4, 1024)
})
afterAll(() => cloud[Symbol.asyncDispose]())

type Wish = Record<string, unknown>
const root = () => ({ source_type: 'image', uuid: image, destination_type: 'local', boot_index: 0 })
const blank = (over: Wish = {}): Wish => ({ source_type: 'blank', destination_type: 'local', ...over })
const post = (over: Wish, { version = '2.67', flavor = flavors.large, as = 'demo' as 'admin' | 'demo' } = {}) => {
  const networks = Number(version.slice(2)) >= 37 ? { networks: 'none' } : {}
  return call('POST', '/servers', {
    as,
    version,
    body: { server: { name: 'd', imageRef: image, flavorRef: flavor, ...networks, ...over } },
  })
}
const map = (mapping: Wish[], options = {}, over: Wish = {}) => post({ block_device_mapping_v2: mapping, ...over }, options)

type Row = { device_name: string; source_type: string; guest_format: string | null; volume_size: number | null; tag: string | null }
const rowsOf = (uuid: string) =>
  cloud.cloud.ground.db
    .prepare<Row>(
      `SELECT device_name, source_type, guest_format, volume_size, tag, disk_bus, device_type, boot_index, destination_type, delete_on_termination
       FROM block_device_mapping WHERE instance_uuid = ? AND deleted = 0 ORDER BY id`,
    )
    .all(uuid)
const brief = (uuid: string) => rowsOf(uuid).map(({ device_name, volume_size, guest_format }) => [device_name, volume_size, guest_format])
const built = async (answer: Awaited<ReturnType<typeof post>>): Promise<string> => {
  expect(answer.status, answer.text).toBe(202)
  await cloud.settle()
  const { server } = (await call('GET', `/servers/${answer.body.server.id}`)).body
  expect(server.status).toBe('ACTIVE')
  return server.id
}

describe('block_device_mapping_v2', () => {
  it('gives a server the disks that it names, tagged and on their buses', async () => {
    const uuid = await built(
      await map([
        root(),
        blank({ volume_size: 1, guest_format: 'ext4', tag: 'data', disk_bus: 'scsi', device_name: '/dev/vdx' }),
        blank({ guest_format: 'swap', volume_size: 100 }),
      ]),
    )
    expect(rowsOf(uuid)).toEqual([
      expect.objectContaining({ device_name: '/dev/vda', source_type: 'image', volume_size: null, boot_index: 0, disk_bus: 'virtio' }),
      expect.objectContaining({
        device_name: '/dev/sda',
        source_type: 'blank',
        destination_type: 'local',
        guest_format: 'ext4',
        volume_size: 1,
        tag: 'data',
        disk_bus: 'scsi',
        device_type: 'disk',
        boot_index: -1,
        delete_on_termination: 1,
      }),
      expect.objectContaining({ device_name: '/dev/vdb', guest_format: 'swap', volume_size: 100 }),
    ])
    const { server } = (await call('GET', `/servers/${uuid}`, { version: '2.3' })).body
    expect([server['os-extended-volumes:volumes_attached'], server['OS-EXT-SRV-ATTR:root_device_name']]).toEqual([[], '/dev/vda'])
  })

  it('leaves to the flavor what is not mapped', async () => {
    const plain = [
      ['/dev/vda', null, null],
      ['/dev/vdb', 2, null],
      ['/dev/vdc', 512, 'swap'],
    ]
    expect(brief(await built(await post({})))).toEqual(plain)
    expect(brief(await built(await map([root()])))).toEqual(plain)
    expect(brief(await built(await map([root()], { flavor: flavors.bare })))).toEqual([['/dev/vda', null, null]])
  })

  it.each<[string, () => Wish[], string]>([
    [
      'no boot disk',
      () => [blank()],
      'Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.',
    ],
    [
      'an image that is not booted from',
      () => [root(), { ...root(), boot_index: 1 }],
      'Block Device Mapping is Invalid: Mapping image to local is not supported.',
    ],
    ['a blank disk with a uuid', () => [root(), blank({ uuid: 'x' })], 'Block Device Mapping is Invalid: Invalid device UUID.'],
    [
      'an image without one',
      () => [{ source_type: 'image', destination_type: 'local', boot_index: 0 }],
      'Block Device Mapping is Invalid: Missing device UUID.',
    ],
    [
      'a type of volume for a local disk',
      () => [root(), blank({ volume_type: 'fast' })],
      'Block Device Mapping is Invalid: Specifying a volume_type with destination_type=local is not supported.',
    ],
    [
      'a type for a volume that is there',
      () => [{ source_type: 'volume', uuid: 'v', destination_type: 'volume', boot_index: 0, volume_type: 'fast' }],
      'Block Device Mapping is Invalid: Specifying volume type to existing volume is not supported.',
    ],
    [
      'too large an ephemeral disk',
      () => [root(), blank({ volume_size: 3 })],
      'Ephemeral disks requested are larger than the instance type allows. If no size is given in one block device mapping, flavor ephemeral size will be used.',
    ],
    [
      'too large a swap',
      () => [root(), blank({ guest_format: 'swap', volume_size: 513 })],
      'Swap drive requested is larger than instance type allows.',
    ],
    [
      'two swaps',
      () => [root(), blank({ guest_format: 'swap' }), blank({ guest_format: 'swap' })],
      'Block Device Mapping is Invalid: More than one swap drive requested.',
    ],
    [
      'a volume',
      () => [root(), { source_type: 'volume', uuid: image, destination_type: 'volume', boot_index: -1 }],
      'Block Device Mapping is Invalid: this cloud has no volume service; a server boots from its image.',
    ],
    [
      'a snapshot',
      () => [root(), { source_type: 'snapshot', uuid: image, destination_type: 'volume' }],
      'Block Device Mapping is Invalid: this cloud has no volume service; a server boots from its image.',
    ],
    [
      'an empty volume',
      () => [root(), blank({ destination_type: 'volume', volume_size: 1 })],
      'Block Device Mapping is Invalid: this cloud has no volume service; a server boots from its image.',
    ],
  ])('refuses %s', async (_what, mapping, message) => {
    const answer = await map(mapping())
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, message])
  })

  it('takes tags at 2.32 and from 2.42, types of volumes from 2.67', async () => {
    const tagged = () => [{ ...root(), tag: 'root' }]
    const statuses = async (mapping: Wish[], versions: string[]) =>
      await Promise.all(versions.map(async (version) => (await map(mapping, { version, flavor: flavors.bare })).status))
    expect(await statuses(tagged(), ['2.1', '2.31', '2.32', '2.33', '2.41', '2.42', '2.104'])).toEqual([400, 400, 202, 400, 400, 202, 202])
    expect(await statuses([{ ...root(), volume_type: null }], ['2.66', '2.67'])).toEqual([400, 202])
    await cloud.settle()
  })

  it('asks who may map disks, and boots from no more than an image', async () => {
    expect((await map([root()], {}, { imageRef: '' })).body.badRequest.message).toMatch(/Mapping image to local/)
    expect((await post({ imageRef: '' })).body.badRequest.message).toBe('Missing imageRef attribute')
    const blankRoot = await map([blank({ boot_index: 0 })], {}, { imageRef: '', trusted_image_certificates: ['a'] })
    expect(blankRoot.body.badRequest.message).toBe('Image certificate validation is not supported when booting from volume')
    const volume = { source_type: 'volume', uuid: image, destination_type: 'volume', boot_index: 0 }
    expect((await map([volume], {}, { imageRef: undefined, max_count: 2 })).body.badRequest.message).toBe(
      'Cannot attach one or more volumes to multiple instances',
    )
  })
})

describe('block_device_mapping', () => {
  it('gives local disks by their virtual names, beside the image', async () => {
    const mapping = [
      { device_name: 'vdb', virtual_name: 'ephemeral0', volume_size: 1 },
      { device_name: 'vdc', virtual_name: 'swap' },
    ]
    expect(brief(await built(await post({ block_device_mapping: mapping }, { version: '2.1' })))).toEqual([
      ['/dev/vda', null, null],
      ['/dev/vdb', 1, null],
      ['/dev/vdc', 512, 'swap'],
    ])
  })

  it.each<[string, Wish, string]>([
    [
      'volumes',
      { block_device_mapping: [{ device_name: 'vda', volume_id: '70a599e0-31e7-49b7-b260-868f441e862b' }], imageRef: '' },
      'Block Device Mapping is Invalid: this cloud has no volume service; a server boots from its image.',
    ],
    [
      'what names nothing',
      { block_device_mapping: [{ device_name: 'vdb' }] },
      'Block Device Mapping is Invalid: Unrecognized legacy format.',
    ],
    [
      'both syntaxes at once',
      { block_device_mapping: [{ virtual_name: 'swap' }], block_device_mapping_v2: [{ source_type: 'blank' }] },
      'Using different block_device_mapping syntaxes is not allowed in the same request.',
    ],
    ['keys of the newer one', { block_device_mapping: [{ source_type: 'blank' }] }, 'Additional properties are not allowed'],
  ])('refuses %s', async (_what, over, message) => {
    const answer = await post(over)
    expect([answer.status, answer.body.badRequest?.message]).toEqual([400, expect.stringContaining(message)])
  })
})

describe('under another flavor', () => {
  it('disks grow when the resize is confirmed, and stay when it is reverted', async () => {
    const uuid = await built(await post({}))
    const act = async (body: unknown) => {
      const answer = await call('POST', `/servers/${uuid}/action`, { body })
      await cloud.settle()
      expect(answer.status, answer.text).toBeLessThan(300)
    }
    const before = brief(uuid)
    await act({ resize: { flavorRef: flavors.larger } })
    await act({ revertResize: null })
    expect(brief(uuid)).toEqual(before)
    await act({ resize: { flavorRef: flavors.larger } })
    expect(brief(uuid)).toEqual(before)
    await act({ confirmResize: null })
    expect(brief(uuid)).toEqual([
      ['/dev/vda', null, null],
      ['/dev/vdb', 4, null],
      ['/dev/vdc', 1024, 'swap'],
    ])
  })
})

it('answers no mapping with a fault of the server', async () => {
  const value = fc.oneof(
    fc.constantFrom('image', 'blank', 'volume', 'local', 'swap', image, '-1', 'cdrom', 'ide'),
    fc.string(),
    fc.integer(),
    fc.constant(null),
  )
  const names = [
    'source_type',
    'destination_type',
    'uuid',
    'boot_index',
    'volume_size',
    'guest_format',
    'device_type',
    'disk_bus',
    'device_name',
    'no_device',
    'tag',
  ]
  const entry = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] })
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 3 }), async (entries) => {
      const answer = await map([root(), ...entries])
      expect(answer.status, answer.text).toBeLessThan(500)
    }),
    { numRuns: 100 },
  )
  await cloud.settle()
})

it('builds nothing where signatures are asked for, since no key manager has their certificates', async () => {
  await using strict = await startTestCloud({ flags: { 'glance.verify_glance_signatures': 'true' } })
  const [{ id }] = (await strict.call('GET', '/image/v2/images?name=tiny')).body.images
  const server = { name: 'd', imageRef: id, flavorRef: '42', networks: 'none', trusted_image_certificates: ['a'] }
  const answer = await strict.call('POST', '/compute/v2.1/servers', { version: '2.63', body: { server } })
  expect([answer.status, answer.body.badRequest.message]).toEqual([400, expect.stringMatching(/signature .* no key manager/)])
})
