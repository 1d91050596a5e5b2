/**
 * The files of the console pages: our own, xterm.js, and those modules of noVNC and spice-html5 that their entries need, found by
 * following the imports. What is not in this list is not served.
 */
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { readAsset } from '../../base/assets.ts'

export type PageFile = { readonly body: Buffer | string; readonly type: string; readonly etag: string }

const ownFolder = 'src/nova/console/page/'
const own = ['page.css', 'frame.js', 'page.js', 'serial.js', 'spice.js']

/** Other people's files: where they are, under which name they are served, and what of them. */
const packages = {
  novnc: { folder: 'node_modules/@novnc/novnc/', entries: ['core/rfb.js'] },
  spice: { folder: 'node_modules/@spice-project/spice-html5/', entries: ['src/main.js'] },
  xterm: { folder: 'node_modules/@xterm/xterm/', entries: ['lib/xterm.mjs', 'css/xterm.css'] },
  'xterm-fit': { folder: 'node_modules/@xterm/addon-fit/', entries: ['lib/addon-fit.mjs'] },
} as const
type Package = keyof typeof packages

export const pages = { vnc: 'vnc_lite.html', serial: 'serial.html', spice: 'spice_auto.html' } as const
export type Page = keyof typeof pages
/** Whose modules a page names in its head, since the browser would otherwise learn of them level by level. */
const preloaded: Readonly<Record<Page, Package | null>> = { vnc: 'novnc', serial: null, spice: 'spice' }

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
}

/** A package's files by path, from its entries on. */
function filesOf({ folder, entries }: (typeof packages)[Package]): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const wanted: string[] = [...entries]
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (found.has(path)) continue
    const source = readAsset(folder + path)
    found.set(path, source)
    if (!path.endsWith('.js')) continue
    for (const match of source.toString().matchAll(/^\s*(?:import|export|\})[^'"\n]*['"](\.{1,2}\/[^'"\n]+)['"]/gm))
      wanted.push(posix.join(posix.dirname(path), match[1] ?? ''))
  }
  return found
}

/** Names of all assets that the pages need, for whoever packs the single executable. */
export const consoleAssets = (): string[] =>
  [
    ...[...Object.values(pages), ...own].map((name) => ownFolder + name),
    ...Object.values(packages).flatMap((each) => [...filesOf(each).keys()].map((path) => each.folder + path)),
  ].sort()

const file = (name: string, body: Buffer | string): PageFile => ({
  body,
  type: types[posix.extname(name)] ?? 'application/octet-stream',
  etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
})

/** By path below the service: `page.js`, `novnc/core/rfb.js`. The pages are under their own names. */
function readFiles(): Map<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const [name, each] of Object.entries(packages))
    for (const [path, source] of filesOf(each)) files.set(`${name}/${path}`, file(path, source))
  for (const name of own) files.set(name, file(name, readAsset(ownFolder + name)))
  for (const [page, name] of Object.entries(pages)) {
    const modules = [...files.keys()].filter((path) => path.startsWith(`${preloaded[page as Page]}/`))
    const preloads = modules.map((path) => `<link rel="modulepreload" href="${path}">`).join('\n    ')
    files.set(
      name,
      file(
        name,
        readAsset(ownFolder + name)
          .toString()
          .replace('<!-- modules -->', preloads),
      ),
    )
  }
  return files
}

let files: Map<string, PageFile> | undefined

/** @returns the file, or `undefined` when there is none of this name. */
export function pageFile(name: string): PageFile | undefined {
  files ??= readFiles()
  return files.get(name)
}
