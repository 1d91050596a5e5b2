/**
 * Picks kernel modules with all that they depend on, and writes the two tables that `modprobe` reads (`modules.dep`, `modules.alias`).
 *
 * A Debian kernel package has no `modules.dep` (it is made at installation), so each module is asked itself. What the kernel has built in,
 * or the architecture doesn't have, is passed over: the wish list is for all kernels.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { runTool } from '../run-tool.ts'
import { readElf } from './elf.ts'

/** What a guest of this cloud may meet: virtio devices, the power button, config drives, volumes, a keyboard where there is no PS/2. */
export const wantedModules = [
  'virtio_pci',
  'virtio_mmio',
  'virtio_net',
  'virtio_blk',
  'virtio_scsi',
  'virtio_console',
  'virtio_rng',
  'virtio_balloon',
  'virtio_input',
  'sd_mod',
  'sr_mod',
  'button',
  'evdev',
  'pvpanic-mmio',
  'pvpanic-pci',
  'isofs',
  'vfat',
  'nls_ascii',
  'nls_cp437',
  'nls_iso8859-1',
  'nls_utf8',
  'ext4',
] as const

export type KernelModule = { name: string; path: string; content: Buffer; depends: string[]; aliases: string[] }
/** `path` in `modules` is relative to `/lib/modules/VERSION`, always uncompressed (`.ko`). */
export type ModuleSet = { modules: KernelModule[]; dep: string; alias: string }

/** The name a module has inside the kernel: dashes and underscores are the same. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.(gz|xz|zst))?$/, '')
    .replaceAll('-', '_')
}

/** Reads the wanted modules and, in turn, their dependencies, below `/lib/modules/VERSION`. @throws {Error} if a dependency is not there. */
export async function collectModules(versionDirectory: string, wanted: readonly string[]): Promise<ModuleSet> {
  const files = new Map<string, string>()
  for (const entry of await readdir(versionDirectory, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && /\.ko(\.(gz|xz|zst))?$/.test(entry.name)) files.set(moduleName(entry.name), join(entry.parentPath, entry.name))

  const found = new Map<string, KernelModule>()
  const queue: { name: string; wantedBy: string | null }[] = wanted.map((name) => ({ name: moduleName(name), wantedBy: null }))
  for (let next = queue.shift(); next; next = queue.shift()) {
    if (found.has(next.name)) continue
    const file = files.get(next.name)
    if (file === undefined) {
      if (next.wantedBy === null) continue
      throw new Error(`kernel module ${next.wantedBy} needs ${next.name}, which is not in ${versionDirectory}`)
    }
    const read = await readModule(file, relative(versionDirectory, file))
    found.set(read.name, read)
    for (const dependency of read.depends) queue.push({ name: dependency, wantedBy: read.name })
  }
  return moduleTables([...found.values()])
}

/** Orders modules by path and writes their tables. A line of `modules.dep` names all dependencies, nearest first, as `depmod` does. */
function moduleTables(unordered: readonly KernelModule[]): ModuleSet {
  const modules = [...unordered].sort((a, b) => (a.path < b.path ? -1 : 1))
  const byName = new Map(modules.map((one) => [one.name, one]))
  const dependenciesOf = (of: KernelModule): string[] => {
    const seen = new Set<string>()
    const visit = (names: readonly string[]) => {
      for (const name of names) {
        const dependency = byName.get(name)
        if (!dependency || name === of.name) continue
        // A dependency shared by two goes behind both, since the last in the line is loaded first.
        seen.delete(dependency.path)
        seen.add(dependency.path)
        visit(dependency.depends)
      }
    }
    visit(of.depends)
    return [...seen]
  }
  return {
    modules,
    dep: modules.map((one) => `${[`${one.path}:`, ...dependenciesOf(one)].join(' ')}\n`).join(''),
    alias: modules.flatMap((one) => one.aliases.map((alias) => `alias ${alias} ${one.name}\n`)).join(''),
  }
}

async function readModule(file: string, path: string): Promise<KernelModule> {
  const content = await unpacked(file)
  const { modinfo } = readElf(content)
  const all = (key: string) => modinfo.filter(([name]) => name === key).map(([, value]) => value)
  return {
    name: moduleName(file),
    path: path.replace(/\.(gz|xz|zst)$/, ''),
    content,
    depends: all('depends')
      .flatMap((list) => list.split(','))
      .filter((name) => name !== '')
      .map(moduleName),
    aliases: all('alias').filter((alias) => !/\s/.test(alias)),
  }
}

async function unpacked(file: string): Promise<Buffer> {
  if (file.endsWith('.xz')) {
    return await runTool('xz', ['--decompress', '--stdout', '--', file], { deadlineMs: 30_000, maxOutputBytes: 64 << 20 })
  }
  const bytes = await readFile(file)
  return file.endsWith('.gz') ? gunzipSync(bytes) : file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes
}
