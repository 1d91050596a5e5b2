/**
 * The image `tiny`: a small guest that starts in seconds and does what a cloud image does (DHCP, metadata, config drive, ssh keys,
 * user data, power button, hot-plug), made on this machine from Debian's kernel, busybox and dropbear. Nothing is installed on the host.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildDisk, kernelCommandLine } from './disk.ts'
import { buildInitramfs } from './initramfs.ts'
import { wantedModules } from './modules.ts'
import { rootDirectories, rootFiles, rootLinks } from './root/files.ts'
import { findSources, missingTools } from './sources.ts'

export type TinyImage = { disk: string; kernel: string; initrd: string; minDiskGib: number; minRamMib: number; kernelVersion: string }

/** Goes up when the way of building changes; changed scripts are noticed by themselves. */
const recipe = 1
const minRamMib = 128

/**
 * Builds `tiny.qcow2` (BIOS and UEFI), `tiny-vmlinuz` and `tiny-initrd` in `outDir`, or finds them there from an earlier call.
 * `workDir` is for scratch files, some 200 MB, all gone afterwards. To have a newer kernel, delete `tiny.json` in `outDir`.
 *
 * @throws {Error} naming what is missing and the remedy; or that it was called off by `signal`.
 */
export async function buildTiny(options: {
  workDir: string
  outDir: string
  log: (line: string) => void
  signal?: AbortSignal
}): Promise<TinyImage> {
  const { outDir, log, signal } = options
  const key = contentKey()
  const built = await earlierBuild(outDir, key)
  if (built) return built

  const { missing } = await tinyPrerequisites()
  if (missing.length > 0)
    throw new Error(`the image tiny cannot be built: ${missing.map(({ what, remedy }) => `${what} (${remedy})`).join('; ')}`)
  await mkdir(options.workDir, { recursive: true, mode: 0o700 })
  await mkdir(outDir, { recursive: true })
  const workDir = await mkdtemp(join(options.workDir, 'tiny-'))
  try {
    const sources = await findSources({ workDir, log, ...(signal ? { signal } : {}) })
    log(`kernel ${sources.kernel.version}${sources.dropbear ? '' : ', without ssh (no dropbear)'}`)
    const kernel = join(workDir, 'vmlinuz')
    const initrd = join(workDir, 'initrd')
    const disk = join(workDir, 'disk.qcow2')
    await copyFile(sources.kernel.image, kernel)
    await writeFile(initrd, await buildInitramfs(sources, signal))
    const [{ size: kernelBytes }, { size: initrdBytes }] = [await stat(kernel), await stat(initrd)]
    await buildDisk({ kernel, initrd, kernelBytes, initrdBytes }, disk, sources, { workDir, ...(signal ? { signal } : {}) })

    const image = { ...places(outDir), minDiskGib: 0, minRamMib, kernelVersion: sources.kernel.version }
    await moveInto(disk, image.disk)
    await moveInto(kernel, image.kernel)
    await moveInto(initrd, image.initrd)
    const sizes = await Promise.all([image.disk, image.kernel, image.initrd].map(async (file) => (await stat(file)).size))
    await writeFile(join(outDir, 'tiny.json'), `${JSON.stringify({ key, sizes, kernelVersion: image.kernelVersion }, null, 2)}\n`)
    log(`built ${image.disk}`)
    return image
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

/** Says without the network whether a build can be tried here. */
export async function tinyPrerequisites(): Promise<{ ok: boolean; missing: { what: string; remedy: string }[] }> {
  const missing = await missingTools()
  return { ok: missing.length === 0, missing }
}

function contentKey(): string {
  const everything = [recipe, process.arch, kernelCommandLine, wantedModules, rootFiles, rootDirectories, rootLinks]
  return createHash('sha256').update(JSON.stringify(everything)).digest('hex')
}

function places(outDir: string): { disk: string; kernel: string; initrd: string } {
  return { disk: join(outDir, 'tiny.qcow2'), kernel: join(outDir, 'tiny-vmlinuz'), initrd: join(outDir, 'tiny-initrd') }
}

async function earlierBuild(outDir: string, key: string): Promise<TinyImage | null> {
  try {
    const note = JSON.parse(await readFile(join(outDir, 'tiny.json'), 'utf8')) as { key?: string; sizes?: number[]; kernelVersion?: string }
    const { disk, kernel, initrd } = places(outDir)
    const sizes = await Promise.all([disk, kernel, initrd].map(async (file) => (await stat(file)).size))
    if (note.key !== key || JSON.stringify(note.sizes) !== JSON.stringify(sizes) || !note.kernelVersion) return null
    return { disk, kernel, initrd, minDiskGib: 0, minRamMib, kernelVersion: note.kernelVersion }
  } catch {
    return null
  }
}

/** Work and result may lie on different file systems; the result must appear whole. */
async function moveInto(from: string, to: string): Promise<void> {
  const beside = `${to}.new`
  await copyFile(from, beside)
  await rename(beside, to)
}
