import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readElf } from './elf.ts'
import { collectModules } from './modules.ts'

/** A file with the section `.modinfo` and nothing to run. */
function fakeModule(info: string[]): Buffer {
  const modinfo = Buffer.from(info.map((line) => `${line}\0`).join(''))
  const names = Buffer.from('\0.modinfo\0.shstrtab\0')
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  const tableAt = 64 + modinfo.length + names.length
  header.writeBigUInt64LE(BigInt(tableAt), 40)
  header.writeUInt16LE(64, 58)
  header.writeUInt16LE(3, 60)
  header.writeUInt16LE(2, 62)
  const section = (name: number, offset: number, size: number) => {
    const one = Buffer.alloc(64)
    one.writeUInt32LE(name, 0)
    one.writeBigUInt64LE(BigInt(offset), 24)
    one.writeBigUInt64LE(BigInt(size), 32)
    return one
  }
  const sections = [section(0, 0, 0), section(1, 64, modinfo.length), section(10, 64 + modinfo.length, names.length)]
  return Buffer.concat([header, modinfo, names, ...sections])
}

describe('collectModules', () => {
  let directory: string
  const place = async (path: string, bytes: Buffer) => {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), bytes)
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'modules-'))
    await place('kernel/virtio_net.ko', fakeModule(['depends=net-failover,virtio_ring', 'alias=virtio:d00000001v*', 'license=GPL']))
    await place('kernel/net/net_failover.ko.gz', gzipSync(fakeModule(['depends=failover'])))
    await place('kernel/net/failover.ko.zst', zstdCompressSync(fakeModule(['depends=virtio_ring'])))
    await place('kernel/virtio_ring.ko', fakeModule(['depends=virtio']))
    await place('kernel/virtio.ko', fakeModule(['depends=']))
    await place('kernel/other.ko', fakeModule(['depends=']))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('brings dependencies of dependencies, unpacked, and leaves the rest', async () => {
    const { modules } = await collectModules(directory, ['virtio-net', 'built_into_the_kernel'])
    expect(modules.map((one) => one.path)).toEqual([
      'kernel/net/failover.ko',
      'kernel/net/net_failover.ko',
      'kernel/virtio.ko',
      'kernel/virtio_net.ko',
      'kernel/virtio_ring.ko',
    ])
    for (const one of modules) expect(readElf(one.content).modinfo[0]?.[0]).toBe('depends')
  })

  it('writes tables from which every module loads after what it needs', async () => {
    const { dep, alias } = await collectModules(directory, ['virtio_net'])
    expect(alias).toBe('alias virtio:d00000001v* virtio_net\n')
    const line = dep.split('\n').find((one) => one.startsWith('kernel/virtio_net.ko:'))
    // modprobe loads a line from its end.
    const order = line?.split(/:? /).reverse()
    expect(order).toEqual([
      'kernel/virtio.ko',
      'kernel/virtio_ring.ko',
      'kernel/net/failover.ko',
      'kernel/net/net_failover.ko',
      'kernel/virtio_net.ko',
    ])
  })

  it('unpacks xz, which newer kernels use', async ({ skip }) => {
    const plain = fakeModule(['depends='])
    const packed = spawnSync('xz', ['--compress', '--stdout'], { input: plain })
    if (packed.status !== 0) skip()
    await place('kernel/newer.ko.xz', packed.stdout)
    const { modules } = await collectModules(directory, ['newer'])
    expect(modules).toMatchObject([{ name: 'newer', path: 'kernel/newer.ko', content: plain }])
  })

  it('says who needs what is missing', async () => {
    await rm(join(directory, 'kernel/virtio.ko'))
    await expect(collectModules(directory, ['virtio_net'])).rejects.toThrow('kernel module virtio_ring needs virtio')
  })
})

describe('readElf', () => {
  it('refuses what is not such a file', () => {
    expect(() => readElf(Buffer.from('#!/bin/sh\n'))).toThrow(RangeError)
    expect(() => readElf(fakeModule(['depends=']).subarray(0, 100))).toThrow(RangeError)
  })
})
