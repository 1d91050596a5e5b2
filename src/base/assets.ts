/**
 * Files that come with the program: migrations, console pages, the native addon. In a checkout they are read from the
 * project's folder, in the single executable from the assets inside it; their names are paths below the project's root.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { getAsset, getAssetKeys, isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'

const root = isSea() ? '' : fileURLToPath(new URL('../../', import.meta.url))

/** @throws {Error} when there is no such asset. */
export function readAsset(name: string): Buffer {
  return isSea() ? Buffer.from(getAsset(name)) : readFileSync(root + name)
}

/** The names of the assets right below `folder` (`migrations/`), sorted. */
export function listAssets(folder: string): string[] {
  const names = isSea() ? getAssetKeys().filter((key) => key.startsWith(folder)) : readdirSync(root + folder).map((name) => folder + name)
  return names.sort()
}
