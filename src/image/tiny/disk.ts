/**
 * Makes the bootable disk, with neither root nor loop devices: an MBR with two partitions. The first is FAT with kernel, initial root file
 * system and two boot loaders (syslinux for a BIOS, systemd-boot for UEFI); the second is empty, the guest formats it and keeps `/data` there.
 *
 * @see https://uapi-group.org/specifications/specs/boot_loader_specification/
 */
import { copyFile, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { convert } from '../qemu-img.ts'
import { runTool, systemPath } from '../run-tool.ts'
import { type Sources, uefiFileName } from './sources.ts'

const sectorBytes = 512
const mibSectors = (1 << 20) / sectorBytes
const bootAtSectors = mibSectors
/** Beyond kernel and initramfs: two loaders, and what FAT itself takes. */
const bootSpareMib = 6
const diskMib = 128
/** Where the guest looks for the sign that a disk is its own: the MBR's disk signature. */
const signature = 'TINY'
const efiSystemPartition = 0xef
const linuxPartition = 0x83

const serialConsole = process.arch === 'x64' ? 'ttyS0,115200n8' : 'ttyAMA0'
export const kernelCommandLine = `console=tty0 console=${serialConsole} quiet`

/** @throws {Error} if a tool fails. */
export async function buildDisk(
  files: { kernel: string; initrd: string; kernelBytes: number; initrdBytes: number },
  to: string,
  sources: Sources,
  options: { workDir: string; signal?: AbortSignal },
): Promise<void> {
  const bootMib = Math.ceil((files.kernelBytes + files.initrdBytes) / (1 << 20)) + bootSpareMib
  const bootSectors = bootMib * mibSectors
  const image = join(options.workDir, 'disk.raw')
  const disk = await open(image, 'wx', 0o600)
  try {
    await disk.truncate(diskMib << 20)
    const dataAt = bootAtSectors + bootSectors
    const mbrCode = sources.bios ? await readFile(sources.bios.mbr) : Buffer.alloc(0)
    const partitions = [
      { active: true, type: efiSystemPartition, at: bootAtSectors, sectors: bootSectors },
      { active: false, type: linuxPartition, at: dataAt, sectors: diskMib * mibSectors - dataAt },
    ]
    await disk.write(masterBootRecord(mbrCode, partitions), 0, sectorBytes, 0)
  } finally {
    await disk.close()
  }

  const env = {
    PATH: [...sources.toolDirectories, systemPath].join(':'),
    MTOOLS_SKIP_CHECK: '1',
    SOURCE_DATE_EPOCH: '0',
  }
  const run = (tool: string, ...args: string[]) =>
    runTool(tool, args, { deadlineMs: 60_000, env, cwd: options.workDir, ...(options.signal ? { signal: options.signal } : {}) })
  const drive = `${image}@@${bootAtSectors * sectorBytes}`
  const size = ['-T', String(bootSectors), '-h', '255', '-s', '63', '-H', String(bootAtSectors)]
  await run('mformat', '-i', drive, ...size, '-N', '54494e59', '-v', signature, '::')
  if (sources.bios) await run(sources.bios.syslinux, '--install', '--offset', String(bootAtSectors * sectorBytes), image)

  const tree = join(options.workDir, 'boot')
  await mkdir(join(tree, 'loader/entries'), { recursive: true })
  await mkdir(join(tree, 'EFI/BOOT'), { recursive: true })
  await writeFile(
    join(tree, 'syslinux.cfg'),
    `DEFAULT tiny\nPROMPT 0\nTIMEOUT 0\nLABEL tiny\n LINUX vmlinuz\n INITRD initrd\n APPEND ${kernelCommandLine}\n`,
  )
  await writeFile(join(tree, 'loader/loader.conf'), 'timeout 0\ndefault tiny.conf\n')
  const entry = `title tiny\nlinux /vmlinuz\ninitrd /initrd\noptions ${kernelCommandLine}\n`
  await writeFile(join(tree, 'loader/entries/tiny.conf'), entry)
  if (sources.uefi) await copyFile(sources.uefi, join(tree, 'EFI/BOOT', uefiFileName))
  // Our own files in the same run as kernel and initramfs: mtools' start is most of its time.
  await run(
    'mcopy',
    '-s',
    '-i',
    drive,
    files.kernel,
    files.initrd,
    ...['syslinux.cfg', 'loader', 'EFI'].map((name) => join(tree, name)),
    '::/',
  )

  await rm(to, { force: true })
  await convert(
    { from: { path: image, format: 'raw' }, to: { path: to, format: 'qcow2' } },
    options.signal ? { signal: options.signal } : {},
  )
}

type Partition = { active: boolean; type: number; at: number; sectors: number }

/** Sector 0: boot code, signature, up to four partitions (addresses by sector only; cylinders say "too far"). */
function masterBootRecord(code: Buffer, partitions: readonly Partition[]): Buffer {
  const sector = Buffer.alloc(sectorBytes)
  code.copy(sector, 0, 0, 440)
  sector.write(signature, 440, 'latin1')
  partitions.forEach((partition, i) => {
    const at = 446 + 16 * i
    sector.writeUInt8(partition.active ? 0x80 : 0, at)
    sector.writeUIntBE(0xfeffff, at + 1, 3)
    sector.writeUInt8(partition.type, at + 4)
    sector.writeUIntBE(0xfeffff, at + 5, 3)
    sector.writeUInt32LE(partition.at, at + 8)
    sector.writeUInt32LE(partition.sectors, at + 12)
  })
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}
