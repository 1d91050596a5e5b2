/**
 * The files of the console page: our own, and those modules of noVNC that its `core/rfb.js` needs, found by following the imports. What is
 * not in this list is not served.
 */
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { readAsset } from '../../base/assets.ts'

export type PageFile = { readonly body: Buffer | string; readonly type: string; readonly etag: string }

const ownFolder = 'src/nova/console/page/'
const novncFolder = 'node_modules/@novnc/novnc/'
const entry = 'core/rfb.js'
const html = 'vnc_lite.html'
const own = { 'page.css': 'text/css; charset=utf-8', 'page.js': 'text/javascript; charset=utf-8' }

/** noVNC's modules by path below its package, from the entry on. */
function novncModules(): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const wanted = [entry]
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (found.has(path)) continue
    const source = readAsset(novncFolder + path)
    found.set(path, source)
    for (const match of source.toString().matchAll(/^\s*(?:import|export|\})[^'"\n]*['"](\.{1,2}\/[^'"\n]+)['"]/gm))
      wanted.push(posix.join(posix.dirname(path), match[1] ?? ''))
  }
  return found
}

/** Names of all assets that the page needs, for whoever packs the single executable. */
export const consoleAssets = (): string[] =>
  [...[html, ...Object.keys(own)].map((name) => ownFolder + name), ...[...novncModules().keys()].map((path) => novncFolder + path)].sort()

const file = (body: Buffer | string, type: string): PageFile => ({
  body,
  type,
  etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
})

/** By path below the service: `page.js`, `novnc/core/rfb.js`. The page itself is under its own name. */
function readFiles(): Map<string, PageFile> {
  const modules = novncModules()
  const files = new Map<string, PageFile>()
  for (const [path, source] of modules) files.set(`novnc/${path}`, file(source, own['page.js']))
  for (const [name, type] of Object.entries(own)) files.set(name, file(readAsset(ownFolder + name), type))
  // The browser would otherwise learn of the modules level by level.
  const preloads = [...modules.keys()].map((path) => `<link rel="modulepreload" href="novnc/${path}">`).join('\n    ')
  files.set(
    html,
    file(
      readAsset(ownFolder + html)
        .toString()
        .replace('<!-- modules -->', preloads),
      'text/html; charset=utf-8',
    ),
  )
  return files
}

let files: Map<string, PageFile> | undefined

/** @returns the file, or `undefined` when there is none of this name. */
export function pageFile(name: string): PageFile | undefined {
  files ??= readFiles()
  return files.get(name)
}

export const pageName = html
