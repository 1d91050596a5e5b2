import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BlockDevice, type DiskWish, planDisks, refit } from './disk-plan.ts'

const image = '70a599e0-31e7-49b7-b260-868f441e862b'
const device = (over: Partial<BlockDevice> = {}): BlockDevice => ({
  source: 'blank',
  destination: 'local',
  uuid: null,
  bootIndex: -1,
  guestFormat: null,
  deviceName: null,
  deviceType: null,
  bus: null,
  size: null,
  tag: null,
  ...over,
})
const root = device({ source: 'image', uuid: image, bootIndex: 0 })
const wish = (over: Partial<DiskWish> = {}): DiskWish => ({
  imageId: image,
  bus: undefined,
  flavor: { ephemeralGib: 10, swapMib: 512 },
  mapped: null,
  maxLocal: -1,
  ...over,
})
const names = (disks: ReturnType<typeof planDisks>) => disks.map(({ deviceName, size, guestFormat }) => [deviceName, size, guestFormat])

describe('planDisks', () => {
  it('has root, ephemeral and swap disk of image and flavor', () => {
    expect(names(planDisks(wish()))).toEqual([
      ['/dev/vda', null, null],
      ['/dev/vdb', 10, null],
      ['/dev/vdc', 512, 'swap'],
    ])
    expect(planDisks(wish({ flavor: { ephemeralGib: 0, swapMib: 0 } }))).toHaveLength(1)
  })

  it("lets mapped disks take the place of the flavor's, in their order, swap last", () => {
    const mapped = [
      device({ guestFormat: 'swap', size: 100 }),
      device({ size: 4, guestFormat: 'ext4', tag: 'data' }),
      root,
      device({ size: 6, bus: 'scsi' }),
    ]
    const disks = planDisks(wish({ mapped, bus: 'sata' }))
    expect(names(disks)).toEqual([
      ['/dev/sda', null, null],
      ['/dev/sdb', 4, 'ext4'],
      ['/dev/sdc', 6, null],
      ['/dev/sdd', 100, 'swap'],
    ])
    expect(disks.map(({ bus }) => bus)).toEqual(['sata', 'sata', 'scsi', 'sata'])
    expect(disks.map(({ tag }) => tag)).toEqual([null, 'data', null, null])
  })

  it('gives no two disks the same place on a bus', () => {
    const bus = fc.constantFrom('virtio', 'scsi', 'sata', 'ide', 'usb', null)
    fc.assert(
      fc.property(fc.array(bus, { maxLength: 5 }), bus, (buses, fallback) => {
        const flavor = { ephemeralGib: 10, swapMib: 0 }
        const mapped = [root, ...buses.map((one) => device({ bus: one, size: 1 }))]
        const disks = planDisks(wish({ flavor, mapped, bus: fallback ?? undefined }))
        const places = disks.map(({ deviceName }) => deviceName.replace(/[sh]d(.)$/, '$1'))
        expect(new Set(places).size).toBe(places.length)
      }),
    )
  })

  it.each<[string, readonly BlockDevice[], RegExp]>([
    ['no boot disk', [device()], /Boot sequence/],
    ['two first boot disks', [root, root], /Boot sequence/],
    ['a gap in the order', [root, device({ bootIndex: 2, size: 1 })], /Boot sequence/],
    ['an empty boot disk', [device({ bootIndex: 0 })], /Boot sequence/],
    ['more ephemeral disk than the flavor has', [root, device({ size: 6 }), device({ size: 5 })], /Ephemeral disks requested are larger/],
    ['one without a size beside another', [root, device({ size: 1 }), device()], /Ephemeral disks requested are larger/],
    ['two swap disks', [root, device({ guestFormat: 'swap' }), device({ guestFormat: 'swap' })], /More than one swap drive/],
    ['more swap than the flavor has', [root, device({ guestFormat: 'swap', size: 513 })], /Swap drive requested is larger/],
    ['an unknown bus', [root, device({ bus: 'scsy' })], /disk bus scsy is not valid/],
    ['a bus that no guest here has', [root, device({ bus: 'fdc' })], /has no disk bus fdc/],
    ['another image', [{ ...root, uuid: 'other' }], /name different images/],
    ['a volume', [device({ source: 'volume', destination: 'volume', uuid: 'v', bootIndex: 0 })], /no volume service/],
    ['an image on a volume', [device({ source: 'image', destination: 'volume', uuid: image, bootIndex: 0, size: 1 })], /no volume service/],
    ['the same without a size', [device({ source: 'image', destination: 'volume', uuid: image, bootIndex: 0 })], /non-zero size specified/],
    ['an empty volume without a size', [root, device({ destination: 'volume' })], /need to have non-zero size/],
  ])('refuses %s', (_what, mapped, why) => {
    expect(() => planDisks(wish({ mapped }))).toThrow(why)
  })

  it('counts against the limit of local disks what the flavor gives too', () => {
    const mapped = [root, device({ size: 1 }), device({ size: 1 })]
    expect(() => planDisks(wish({ mapped, maxLocal: 3 }))).toThrow(/more local devices than the limit allows/)
    expect(planDisks(wish({ mapped, maxLocal: 4 }))).toHaveLength(4)
  })
})

describe('refit', () => {
  const sizes = fc.record({ ephemeralGib: fc.integer({ min: 0, max: 20 }), swapMib: fc.integer({ min: 0, max: 2048 }) })

  it('comes to what the other flavor alone would give, and back', () => {
    fc.assert(
      fc.property(sizes, sizes, (before, after) => {
        const disks = planDisks(wish({ flavor: before }))
        const fitted = refit(disks, before, after)
        const by = (all: typeof fitted) => names(all).map(([, size, format]) => `${format} ${size}`)
        expect(by(fitted)).toEqual(by(planDisks(wish({ flavor: after }))))
        expect(by(refit(fitted, after, before))).toEqual(by(disks))
        expect(new Set(fitted.map(({ deviceName }) => deviceName)).size).toBe(fitted.length)
      }),
    )
  })

  it('keeps what was mapped smaller, within the swap of the flavor', () => {
    const flavor = { ephemeralGib: 10, swapMib: 512 }
    const disks = planDisks(wish({ mapped: [root, device({ size: 4 }), device({ size: 6 }), device({ guestFormat: 'swap', size: 100 })] }))
    expect(refit(disks, flavor, flavor)).toEqual(disks)
    expect(refit(disks, flavor, { ephemeralGib: 20, swapMib: 64 }).map(({ size }) => size)).toEqual([null, 4, 6, 64])
    expect(refit(disks, flavor, { ephemeralGib: 20, swapMib: 0 }).map(({ size }) => size)).toEqual([null, 4, 6])
  })
})
