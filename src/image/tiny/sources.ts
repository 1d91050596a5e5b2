/**
 * Finds what the image is made from: on this host where it is installed, else fetched as Debian packages and unpacked beside the work,
 * which needs no root and installs nothing. The kernel comes from the archive first (the cloud flavour starts fastest) and from this
 * host's `/boot` when there is no way to the archive.
 */
import { access, constants, mkdir, readdir, readFile, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runTool, systemPath } from '../run-tool.ts'
import { readElf } from './elf.ts'

export type Sources = {
  kernel: { version: string; image: string; modulesDirectory: string }
  busybox: string
  /** Programs of the ssh server, or none. */
  dropbear: { server: string; keygen: string } | null
  /** Roots to look for shared libraries in, best first. */
  roots: string[]
  /** Directories with mtools and syslinux, to go in front of PATH. */
  toolDirectories: string[]
  bios: { syslinux: string; mbr: string } | null
  /** systemd-boot as a UEFI program. */
  uefi: string | null
}

export type FetchOptions = { workDir: string; log: (line: string) => void; signal?: AbortSignal }

const x64 = process.arch === 'x64'
const triplet = x64 ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu'
const kernelPackages = x64
  ? ['linux-image-cloud-amd64', 'linux-image-virtual', 'linux-image-amd64']
  : ['linux-image-cloud-arm64', 'linux-image-virtual', 'linux-image-arm64']
export const uefiFileName = x64 ? 'BOOTX64.EFI' : 'BOOTAA64.EFI'
const systemdBoot = `usr/lib/systemd/boot/efi/systemd-boot${x64 ? 'x64' : 'aa64'}.efi`
const offlineRemedy = 'bring an image of your own instead: minicloud image add FILE'

/** @throws {Error} that names what is missing and the remedy. */
export async function findSources(options: FetchOptions): Promise<Sources> {
  const unpacked = join(options.workDir, 'unpacked')
  const roots = [unpacked, '/']
  const wanted = [
    ...((await staticBusybox(['/'])) ? [] : ['busybox-static']),
    ...((await first(['/'], ['usr/sbin/dropbear'])) && (await first(['/'], ['usr/bin/dropbearkey'])) ? [] : ['dropbear-bin']),
    ...((await onPath('mtools')) ? [] : ['mtools']),
    ...(!x64 || ((await first(['/'], ['usr/bin/syslinux'])) && (await first(['/'], ['usr/lib/SYSLINUX/mbr.bin']))) ? [] : ['syslinux']),
    ...((await first(['/'], [systemdBoot])) ? [] : ['systemd-boot-efi']),
  ]
  await fetchPackages(wanted, unpacked, options)

  const kernel = (await findKernel([unpacked])) ?? (await findKernel(['/']))
  const busybox = await staticBusybox(roots)
  if (!kernel) throw new Error(`no kernel for the image tiny: neither the package archive nor /boot has one; ${offlineRemedy}`)
  if (!busybox) throw new Error(`no static busybox for the image tiny (Debian package busybox-static); ${offlineRemedy}`)
  const server = await first(roots, ['usr/sbin/dropbear'])
  const keygen = await first(roots, ['usr/bin/dropbearkey'])
  const syslinux = await first(roots, ['usr/bin/syslinux'])
  const mbr = await first(roots, ['usr/lib/SYSLINUX/mbr.bin'])
  return {
    kernel,
    busybox,
    dropbear: server && keygen ? { server, keygen } : null,
    roots,
    toolDirectories: [join(unpacked, 'usr/bin')],
    bios: x64 && syslinux && mbr ? { syslinux, mbr } : null,
    uefi: await first(roots, [systemdBoot]),
  }
}

/** What of the tools is neither here nor can be fetched. Asks no network. */
export async function missingTools(): Promise<{ what: string; remedy: string }[]> {
  const missing: { what: string; remedy: string }[] = []
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64'))
    missing.push({ what: `no image for ${process.platform} on ${process.arch}`, remedy: offlineRemedy })
  const canFetch = (await onPath('apt-get')) && (await onPath('dpkg-deb'))
  if (!(await onPath('qemu-img'))) missing.push({ what: 'qemu-img', remedy: 'apt install qemu-utils' })
  if (canFetch) return missing
  if (!(await staticBusybox(['/']))) missing.push({ what: 'busybox, statically linked', remedy: 'install busybox-static' })
  if (!(await onPath('mtools'))) missing.push({ what: 'mtools', remedy: 'install mtools' })
  if (!(await findKernel(['/']))) missing.push({ what: 'a readable kernel in /boot, or apt-get to fetch one', remedy: offlineRemedy })
  if (x64 && !(await first(['/'], ['usr/lib/SYSLINUX/mbr.bin']))) missing.push({ what: 'syslinux', remedy: 'install syslinux' })
  return missing
}

/** The shared libraries a program needs, and its loader: pairs of the place in the guest and the file here. @throws {Error} if one is missing. */
export async function librariesOf(programs: readonly string[], roots: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const queue = [...programs]
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const elf = readElf(await readFile(file))
    if (elf.interpreter) {
      const place = elf.interpreter.slice(1)
      const loader = await first(roots, [place, `usr/${place}`, `lib/${triplet}/${basename(place)}`])
      if (!loader) throw new Error(`the program loader ${elf.interpreter} is missing`)
      found.set(place, loader)
    }
    for (const name of elf.needed) {
      const place = `lib/${name}`
      if (found.has(place) || [...found.keys()].some((one) => basename(one) === name)) continue
      const library = await first(roots, [`lib/${triplet}/${name}`, `usr/lib/${triplet}/${name}`, `lib64/${name}`, `usr/lib64/${name}`])
      if (!library) throw new Error(`the shared library ${name} is missing`)
      found.set(place, library)
      queue.push(library)
    }
  }
  return found
}

async function fetchPackages(wanted: readonly string[], unpacked: string, options: FetchOptions): Promise<void> {
  const { workDir, log, signal } = options
  if (!(await onPath('apt-get')) || !(await onPath('dpkg-deb'))) return
  const apt = async (tool: string, args: string[], deadlineMs: number) =>
    (await runTool(tool, args, { deadlineMs, cwd: workDir, maxOutputBytes: 16 << 20, ...(signal ? { signal } : {}) })).toString('utf8')

  // The host's package lists may be empty (a fresh container): then lists of our own are fetched, which needs no root either.
  let lists: string[] = []
  let kernel = await kernelPackage(apt, lists)
  if (kernel.length === 0) {
    log('fetching package lists')
    lists = ['-o', `Dir::State::Lists=${workDir}/lists`, '-o', `Dir::Cache=${workDir}/cache`]
    if (process.getuid?.() === 0) lists.push('-o', 'APT::Sandbox::User=root')
    await mkdir(join(workDir, 'lists/partial'), { recursive: true })
    await mkdir(join(workDir, 'cache/archives/partial'), { recursive: true })
    await apt('apt-get', [...lists, '-qq', 'update'], 120_000).catch(rethrowAbort(signal))
    kernel = await kernelPackage(apt, lists)
  }
  const names = [...kernel]
  for (const name of wanted) names.push(...(name === 'dropbear-bin' ? await closure(apt, lists, name) : [name]))
  if (names.length === 0) return
  log(`fetching ${names.join(' ')}`)
  await apt('apt-get', [...lists, '-q', '-o', 'Acquire::Retries=2', 'download', ...names], 300_000).catch((cause: Error) => {
    if (signal?.aborted) throw cause
    log(`could not fetch packages: ${cause.message}`)
  })
  await mkdir(unpacked, { recursive: true })
  for (const file of (await readdir(workDir)).filter((name) => name.endsWith('.deb')).sort())
    await runTool('dpkg-deb', ['-x', join(workDir, file), unpacked], { deadlineMs: 60_000, ...(signal ? { signal } : {}) })
}

type Apt = (tool: string, args: string[], deadlineMs: number) => Promise<string>

/** The packages of the newest kernel: the image, and on distributions that part them, its modules. */
async function kernelPackage(apt: Apt, lists: string[]): Promise<string[]> {
  for (const name of kernelPackages) {
    const names = (await closure(apt, lists, name)).filter((one) => /^linux-(image|modules)-\d/.test(one))
    if (names.length > 0) return names
  }
  return []
}

async function closure(apt: Apt, lists: string[], name: string): Promise<string[]> {
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`)
  const out = await apt('apt-cache', [...lists, 'depends', '--recurse', ...only, name], 30_000).catch(() => '')
  return out.split('\n').filter((line) => /^[a-z0-9]/.test(line) && !line.includes(':'))
}

function rethrowAbort(signal: AbortSignal | undefined): (cause: Error) => void {
  return (cause) => {
    if (signal?.aborted) throw cause
  }
}

async function findKernel(roots: readonly string[]): Promise<Sources['kernel'] | null> {
  for (const root of roots) {
    const names = await readdir(join(root, 'boot')).catch(() => [])
    const versions = names.filter((name) => name.startsWith('vmlinuz-')).map((name) => name.slice('vmlinuz-'.length))
    versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    for (const version of versions) {
      const modulesDirectory = await first([root], [`lib/modules/${version}/kernel`, `usr/lib/modules/${version}/kernel`])
      const image = await first([root], [`boot/vmlinuz-${version}`])
      if (modulesDirectory && image) return { version, image, modulesDirectory: join(modulesDirectory, '..') }
    }
  }
  return null
}

async function staticBusybox(roots: readonly string[]): Promise<string | null> {
  for (const root of roots) {
    const file = await first([root], ['usr/bin/busybox', 'bin/busybox'])
    if (file && readElf(await readFile(file)).interpreter === null) return file
  }
  return null
}

async function onPath(tool: string): Promise<boolean> {
  for (const directory of systemPath.split(':')) if (await readable(join(directory, tool))) return true
  return false
}

async function first(roots: readonly string[], places: readonly string[]): Promise<string | null> {
  for (const root of roots) for (const place of places) if (await readable(join(root, place))) return await realpath(join(root, place))
  return null
}

async function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  )
}
