/** Puts the guest's first and only root file system together: busybox, our scripts, the ssh server with its libraries, kernel modules. */
import { readFile } from 'node:fs/promises'
import { dirname, posix } from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { runTool } from '../run-tool.ts'
import { type CpioEntry, writeCpio } from './cpio.ts'
import { collectModules, wantedModules } from './modules.ts'
import { rootDirectories, rootFiles, rootLinks } from './root/files.ts'
import { librariesOf, type Sources } from './sources.ts'

/** Programs of busybox that would be wrong here: package tools, and `init`'s name at the root, which is ours. */
const unwantedApplets = new Set(['busybox', 'dpkg', 'dpkg-deb', 'rpm', 'rpm2cpio', 'linuxrc', 'run-init'])

/** The archive, compressed by zstd with a window that every kernel takes. @throws {Error} if a library or module is missing. */
export async function buildInitramfs(sources: Sources, signal?: AbortSignal): Promise<Buffer> {
  const entries = new Map<string, CpioEntry>()
  const file = (path: string, mode: number, content: Buffer) => {
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent))
      if (!entries.has(parent)) entries.set(parent, { path: parent, kind: 'directory', mode: 0o755 })
    entries.set(path, { path, kind: 'file', mode, content })
  }
  for (const [path, mode] of Object.entries(rootDirectories)) entries.set(path, { path, kind: 'directory', mode })
  for (const [path, target] of Object.entries(rootLinks)) entries.set(path, { path, kind: 'symlink', target })

  file('bin/busybox', 0o755, await readFile(sources.busybox))
  const list = await runTool(sources.busybox, ['--list'], { deadlineMs: 10_000, ...(signal ? { signal } : {}) })
  for (const name of list.toString('utf8').split('\n'))
    if (/^[a-z0-9[_-]+$/i.test(name) && !unwantedApplets.has(name)) {
      const path = `bin/${name}`
      entries.set(path, { path, kind: 'symlink', target: 'busybox' })
    }

  if (sources.dropbear) {
    const { server, keygen } = sources.dropbear
    file('bin/dropbear', 0o755, await readFile(server))
    file('bin/dropbearkey', 0o755, await readFile(keygen))
    for (const [path, from] of await librariesOf([server, keygen], sources.roots)) file(path, 0o755, await readFile(from))
  }

  const directory = `lib/modules/${sources.kernel.version}`
  const { modules, dep, alias } = await collectModules(sources.kernel.modulesDirectory, wantedModules)
  for (const one of modules) file(`${directory}/${one.path}`, 0o644, one.content)
  file(`${directory}/modules.dep`, 0o644, Buffer.from(dep))
  file(`${directory}/modules.alias`, 0o644, Buffer.from(alias))

  for (const [path, text] of Object.entries(rootFiles)) file(path, text.startsWith('#!') ? 0o755 : modeOf(path), Buffer.from(text))

  const ordered = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
  return await promisify(zstdCompress)(writeCpio(ordered), {
    params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 23 },
  })
}

function modeOf(path: string): number {
  return dirname(path) === 'etc' && path.endsWith('shadow') ? 0o600 : 0o644
}
