import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkUpload, type ImageReader, ImageRefused, type Inspection, InspectionStream, inspect } from './index.ts'

const mib = 1 << 20
const hasQemuImg = (() => {
  try {
    execFileSync('qemu-img', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

function readerOf(bytes: Buffer): ImageReader & { reads: number; bytesRead: number } {
  return {
    size: bytes.length,
    reads: 0,
    bytesRead: 0,
    async read(offset, length) {
      this.reads++
      this.bytesRead += length
      return bytes.subarray(offset, offset + length)
    },
  }
}

function streamed(bytes: Buffer, chunk: number): Inspection {
  const stream = new InspectionStream()
  for (let at = 0; at < bytes.length; at += chunk) stream.write(bytes.subarray(at, at + chunk))
  return stream.end()
}

const refusal = (declaredDiskFormat: string, inspection: Inspection, maxVirtualBytes = 2 ** 40): string | null => {
  try {
    checkUpload({ declaredDiskFormat, inspection, maxVirtualBytes })
    return null
  } catch (error) {
    expect(error).toBeInstanceOf(ImageRefused)
    return (error as ImageRefused).message
  }
}

describe.skipIf(!hasQemuImg)('images made by qemu-img', () => {
  let directory: string
  const samples = new Map<string, Buffer>()
  const make = (name: string, format: string, options: string | null, size = '64M', ...more: string[]) => {
    const path = join(directory, name)
    execFileSync('qemu-img', ['create', '-q', '-f', format, ...(options ? ['-o', options] : []), ...more, path, size], { cwd: directory })
    const bytes = readFileSync(path)
    samples.set(name, bytes)
    return bytes
  }
  const converted = (name: string, format: string, options: string | null) => {
    const path = join(directory, name)
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, ...(options ? ['-o', options] : []), join(directory, 'some.raw'), path])
    const bytes = readFileSync(path)
    samples.set(name, bytes)
    return bytes
  }
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'inspect-'))
    const raw = Buffer.alloc(4 * mib)
    raw.write('something that is not zero', 2 * mib)
    writeFileSync(join(directory, 'some.raw'), raw)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it.each([
    ['v3.qcow2', 'qcow2', 'compat=1.1', 'qcow2'],
    ['v2.qcow2', 'qcow2', 'compat=0.10', 'qcow2'],
    ['zstd.qcow2', 'qcow2', 'compression_type=zstd', 'qcow2'],
    ['extended.qcow2', 'qcow2', 'extended_l2=on,cluster_size=128k', 'qcow2'],
    ['small.qcow2', 'qcow2', 'cluster_size=512', 'qcow2'],
    ['lazy.qcow2', 'qcow2', 'lazy_refcounts=on', 'qcow2'],
    ['sparse.vmdk', 'vmdk', 'subformat=monolithicSparse', 'vmdk'],
    ['dynamic.vdi', 'vdi', null, 'vdi'],
    ['static.vdi', 'vdi', 'static=on', 'vdi'],
    ['dynamic.vhd', 'vpc', 'subformat=dynamic,force_size=on', 'vhd'],
    ['fixed.vhd', 'vpc', 'subformat=fixed,force_size=on', 'vhd'],
    ['dynamic.vhdx', 'vhdx', 'subformat=dynamic', 'vhdx'],
    ['fixed.vhdx', 'vhdx', 'subformat=fixed', 'vhdx'],
  ])('takes %s', async (name, format, options, expected) => {
    const bytes = make(name, format, options, '8M')
    const inspection = await inspect(readerOf(bytes))
    expect(inspection).toEqual({ format: expected, virtualSizeBytes: 8 * mib, partitionTable: null, safe: true, problems: [] })
    expect(streamed(bytes, 65_521)).toEqual(inspection)
    expect(refusal(expected, inspection)).toBeNull()
    expect(refusal('raw', inspection)).toContain(`its content is ${expected}`)
    expect(refusal(expected, inspection, 8 * mib - 1)).toContain('at most')
  })

  it('takes a stream-optimised VMDK, but not one whose footer says otherwise or is missing', async () => {
    const bytes = converted('stream.vmdk', 'vmdk', 'subformat=streamOptimized')
    expect(await inspect(readerOf(bytes))).toMatchObject({ format: 'vmdk', virtualSizeBytes: 4 * mib, safe: true })
    expect(streamed(bytes, 1000).safe).toBe(true)

    // As VMware writes it: the grain directory's place is told at the end, in a copy of the header.
    const header = Buffer.from(bytes.subarray(0, 512))
    header.writeBigUInt64LE(2n ** 64n - 1n, 56)
    const ended = (footer: Buffer) => Buffer.concat([header, bytes.subarray(512), Buffer.alloc(512), footer, Buffer.alloc(512)])
    const footer = Buffer.from(bytes.subarray(0, 512))
    expect((await inspect(readerOf(ended(footer)))).problems).toEqual([])
    expect((await inspect(readerOf(ended(footer).subarray(0, -512)))).problems).toEqual(['its footer is missing'])
    footer.writeBigUInt64LE(9999n, 28)
    expect((await inspect(readerOf(ended(footer)))).problems).toEqual(['its footer contradicts its header'])
    expect(streamed(ended(footer), 100).problems).toEqual(['its footer contradicts its header'])
  })

  it('refuses a qcow2 with a backing file', async () => {
    make('overlay.qcow2', 'qcow2', null, '8M', '-b', 'some.raw', '-F', 'raw')
    const inspection = await inspect(readerOf(samples.get('overlay.qcow2')!))
    expect(inspection).toMatchObject({ format: 'qcow2', safe: false, problems: ['it names a backing file'] })
    expect(refusal('qcow2', inspection)).toBe('The image is refused: it names a backing file.')
  })

  it('refuses a qcow2 with an external data file', async () => {
    const bytes = make('outside.qcow2', 'qcow2', `data_file=${join(directory, 'data.raw')},data_file_raw=on`)
    const { safe, problems } = await inspect(readerOf(bytes))
    expect(safe).toBe(false)
    expect(problems).toEqual(['it keeps its data in another file', 'it names an external data file'])
  })

  it('refuses a qcow2 that is encrypted, marked as corrupt, or in need of the unknown', async () => {
    const bytes = make('plain.qcow2', 'qcow2', null)
    const withFeature = (bit: bigint) => {
      const copy = Buffer.from(bytes)
      copy.writeBigUInt64BE(copy.readBigUInt64BE(72) | bit, 72)
      return inspect(readerOf(copy))
    }
    expect((await withFeature(1n)).safe).toBe(true)
    expect((await withFeature(2n)).problems).toEqual(['it is marked as corrupt'])
    expect((await withFeature(1n << 5n)).problems).toEqual(['it needs features that are not known'])
    expect((await withFeature(1n << 63n)).problems).toEqual(['it needs features that are not known'])
    for (const method of [1, 2]) {
      const copy = Buffer.from(bytes)
      copy.writeUInt32BE(method, 32)
      expect((await inspect(readerOf(copy))).problems).toEqual(['it is encrypted'])
    }
  })

  it('refuses a qcow2 with tables that cannot be', async () => {
    const bytes = make('tables.qcow2', 'qcow2', null)
    const changed = async (change: (copy: Buffer) => void) => {
      const copy = Buffer.from(bytes)
      change(copy)
      return (await inspect(readerOf(copy))).problems
    }
    expect(await changed((copy) => copy.writeUInt32BE(0x7fffffff, 36))).toEqual(['its L1 table is too large'])
    expect(await changed((copy) => copy.writeBigUInt64BE(1n << 50n, 24))).toEqual(['its L1 table is too small for its size'])
    expect(await changed((copy) => copy.writeBigUInt64BE(2n ** 63n, 24))).toContain('its size is out of range')
    expect(await changed((copy) => copy.writeBigUInt64BE(77n, 40))).toEqual(['its L1 table is not aligned'])
    expect(await changed((copy) => copy.writeBigUInt64BE(1n << 60n, 48))).toEqual(['its reference count table lies outside the file'])
    expect(await changed((copy) => copy.writeUInt32BE(63, 20))).toEqual(['its cluster size is out of range'])
    expect(await changed((copy) => copy.writeUInt32BE(4, 4))).toContain('version 4 is not known')
    expect(await changed((copy) => copy.fill(0xee, 112, 120))).toContain('a header extension is longer than its cluster')
  })

  it.each(['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'])('refuses a VMDK of kind %s', async (subformat) => {
    const bytes = make(`${subformat}.vmdk`, 'vmdk', `subformat=${subformat}`)
    const inspection = await inspect(readerOf(bytes))
    expect(inspection).toMatchObject({ format: 'vmdk', safe: false })
    expect(refusal('vmdk', inspection)).toContain('lists its extents in other files')
    expect(refusal('raw', inspection)).toContain('its content is vmdk')
  })

  it('refuses a VMDK whose embedded descriptor points elsewhere', async () => {
    const bytes = make('embedded.vmdk', 'vmdk', 'subformat=monolithicSparse')
    const changed = async (from: string | null, to: string) => {
      const copy = Buffer.from(bytes)
      const text = copy.toString('latin1', 512, 21 * 512)
      const changedText = from === null ? text.replace(/\0/, `${to}\0`) : text.replace(from, to)
      expect(changedText).not.toBe(text)
      copy.write(changedText.slice(0, text.length), 512, 'latin1')
      return (await inspect(readerOf(copy))).problems
    }
    expect(await changed('SPARSE "embedded.vmdk"', 'FLAT "/etc/shadow" 0')).toEqual(['its extents are not one sparse extent of its own'])
    expect(await changed('SPARSE "embedded.vmdk"', 'SPARSE "/dev/vda"')).toEqual(['its extents are not one sparse extent of its own'])
    expect(await changed(null, '\nRW 1 FLAT "/etc/shadow" 0\n')).toEqual(['its extents are not one sparse extent of its own'])
    expect(await changed('monolithicSparse', 'monolithicFlat')).toEqual(['only monolithicSparse and streamOptimized are accepted'])
    expect(await changed(null, '\nparentFileNameHint="/etc/shadow"\n')).toEqual(['it names a parent file'])
    expect(await changed('parentCID=ffffffff', 'parentCID=12345678')).toEqual(['it has a parent'])
    const empty = Buffer.from(bytes)
    empty.writeBigUInt64LE(0n, 12)
    expect((await inspect(readerOf(empty))).problems).toEqual(['its capacity is 0, which leaves its extents to the descriptor'])
  })

  it('refuses a VMDK, VDI, VHD or VHDX with a parent', async () => {
    make('child.vmdk', 'vmdk', null, '64M', '-b', make('parent.vmdk', 'vmdk', null) && 'parent.vmdk', '-F', 'vmdk')
    expect((await inspect(readerOf(samples.get('child.vmdk')!))).problems).toContain('it names a parent file')
    const vdi = make('child.vdi', 'vdi', null)
    vdi.writeUInt32LE(4, 0x4c)
    vdi.write('parent', 0x1b8)
    expect((await inspect(readerOf(vdi))).problems).toEqual([
      'only dynamic and fixed disks without a parent are accepted',
      'it has a parent',
    ])
    const vhd = make('child.vhd', 'vpc', null)
    vhd.writeUInt32BE(4, 60)
    expect((await inspect(readerOf(vhd))).problems).toEqual(['only fixed and dynamic disks without a parent are accepted'])
    const vhdx = make('child.vhdx', 'vhdx', null)
    const parameters = vhdx.indexOf(Buffer.from('3767a1ca36fa434db3b633f0aa44e76b', 'hex'))
    const at = vhdx.indexOf('metadata', mib)
    expect(parameters).toBeGreaterThan(at)
    const item = at + vhdx.readUInt32LE(parameters + 16)
    vhdx.writeUInt32LE(vhdx.readUInt32LE(item + 4) | 2, item + 4)
    expect((await inspect(readerOf(vhdx))).problems).toEqual(['it has a parent'])
    expect(streamed(vhdx, 4096).problems).toEqual(['it has a parent'])
  })

  it.each([
    ['qed', 'qed', 'qed'],
    ['qcow', 'qcow', 'qcow'],
    ['parallels', 'parallels', 'ploop'],
  ])('knows %s, to refuse it', async (name, format, expected) => {
    const inspection = await inspect(readerOf(make(`refused.${name}`, format, null)))
    expect(inspection).toMatchObject({ format: expected, safe: false })
    expect(refusal('raw', inspection)).toContain(`its content is ${expected}, which is not accepted here`)
    expect(refusal(expected, inspection)).toContain('are not accepted')
  })

  it('agrees with itself, never breaks and reads no more than it may, whatever is done to real headers', { timeout: 60_000 }, async () => {
    for (const format of ['qcow2', 'vmdk', 'vdi', 'vpc', 'vhdx']) make(`fuzz.${format}`, format, null, '4M')
    converted('fuzz.stream', 'vmdk', 'subformat=streamOptimized')
    const seeds = [...samples].filter(([name]) => name.startsWith('fuzz.'))
    const change = fc.record({
      at: fc.oneof(fc.nat(1024), fc.nat(70_000), fc.nat(3 * mib)),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...seeds),
        fc.array(change, { maxLength: 8 }),
        fc.option(fc.nat(3 * mib)),
        fc.integer({ min: 700, max: 300_000 }),
        async ([, seed], changes, cut, chunk) => {
          const bytes = Buffer.from(cut === null ? seed : seed.subarray(0, cut))
          for (const { at, bytes: data } of changes) if (at < bytes.length) bytes.set(data.slice(0, bytes.length - at), at)
          const reader = readerOf(bytes)
          const inspection = await inspect(reader)
          expect(reader.reads).toBeLessThanOrEqual(3)
          expect(reader.bytesRead).toBeLessThan(1.2 * mib)
          expect(inspection.safe).toBe(inspection.problems.length === 0)
          expect(streamed(bytes, chunk)).toEqual(inspection)
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe('raw images', () => {
  it('takes zeroes, boot sectors and partition tables, and says which', async () => {
    const bytes = Buffer.alloc(2 * mib)
    expect(await inspect(readerOf(bytes))).toEqual({
      format: 'raw',
      virtualSizeBytes: 2 * mib,
      partitionTable: null,
      safe: true,
      problems: [],
    })
    bytes.writeUInt16LE(0xaa55, 510)
    expect((await inspect(readerOf(bytes))).partitionTable).toBeNull()
    bytes.writeUInt8(0x83, 446 + 4)
    bytes.writeUInt32LE(1000, 446 + 12)
    expect(await inspect(readerOf(bytes))).toMatchObject({ format: 'raw', partitionTable: 'mbr', safe: true })
    bytes.write('EFI PART', 512)
    const inspection = await inspect(readerOf(bytes))
    expect(inspection).toMatchObject({ format: 'raw', partitionTable: 'gpt', safe: true })
    for (const declared of ['raw', 'ami', 'aki', 'ari']) expect(refusal(declared, inspection)).toBeNull()
    expect(refusal('qcow2', inspection)).toBe('The image was declared as qcow2, but its content is raw: declare it as disk_format raw.')
    expect(refusal('docker', inspection)).toBe('Images of disk_format "docker" are not accepted here.')
    expect(refusal('raw', inspection, mib)).toContain('at most')
  })

  it('takes an empty image and a single byte', async () => {
    expect(await inspect(readerOf(Buffer.alloc(0)))).toMatchObject({ format: 'raw', virtualSizeBytes: 0, safe: true })
    expect(new InspectionStream().end()).toMatchObject({ format: 'raw', virtualSizeBytes: 0, safe: true })
    expect(streamed(Buffer.from('Q'), 1)).toMatchObject({ format: 'raw', virtualSizeBytes: 1, safe: true })
  })

  it.each([
    ['iso', 32769, 'CD001', 'iso', true],
    ['UDF', 32769 + 2048, 'NSR03', 'iso', true],
    ['LUKS', 0, 'LUKS\xba\xbe', 'luks', false],
    ['cloop', 0, '#!/bin/sh\n#V2.0 Format\n', 'cloop', false],
    ['bochs', 0, 'Bochs Virtual HD Image', 'bochs', false],
    ['DMG', 2 * mib - 512, 'koly', 'dmg', false],
    ['a descriptor of VMDK', 0, '# Disk DescriptorFile\nversion=1\n', 'vmdk', false],
    ['a descriptor without its first line', 0, '# hello\n\nversion=1\n', 'vmdk', false],
    ['an ESX extent', 0, 'COWD', 'vmdk', false],
  ])('is not %s', async (_what, at, text, format, safe) => {
    const bytes = Buffer.alloc(2 * mib)
    bytes.write(text, at, 'latin1')
    const inspection = await inspect(readerOf(bytes))
    expect(inspection).toMatchObject({ format, safe })
    expect(refusal('raw', inspection)).toContain('its content is')
  })

  it('is not a CD that begins as something else: two formats at once are refused', async () => {
    const bytes = Buffer.alloc(mib)
    bytes.write('CD001', 32769)
    bytes.write('conectix', mib - 512)
    bytes.writeUInt32BE(2, mib - 512 + 60)
    const inspection = await inspect(readerOf(bytes))
    expect(inspection.problems).toEqual(['it is vhd and iso at once'])
    for (const declared of ['iso', 'vhd', 'raw']) expect(refusal(declared, inspection)).not.toBeNull()
  })

  it('is refused while its size, and so its end, is not known', async () => {
    const bytes = Buffer.alloc(2 * mib)
    const inspection = await inspect({ size: null, read: async (offset, length) => bytes.subarray(offset, offset + length) })
    expect(inspection).toMatchObject({ safe: false, problems: ['its size is not known'] })
  })

  it('never breaks on arbitrary bytes behind any magic', async () => {
    const magic = fc.constantFrom(
      'QFI\xfb\0\0\0\x02',
      'QFI\xfb\0\0\0\x03',
      'KDMV',
      'vhdxfile',
      'conectix',
      'QED\0',
      '# Disk DescriptorFile\n',
      '',
    )
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 2000 }), async (start, rest) => {
        const bytes = Buffer.concat([Buffer.from(start, 'latin1'), rest])
        const inspection = await inspect(readerOf(bytes))
        expect(streamed(bytes, 333)).toEqual(inspection)
        if (start !== '' && !start.startsWith('QED')) expect(inspection.format).not.toBe('raw')
      }),
      { numRuns: 1000 },
    )
  })
})
