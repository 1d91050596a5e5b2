/** The version of this program. */
import { readAsset } from '../../base/assets.ts'
import { out } from '../shell.ts'

export function printVersion(): number {
  out((JSON.parse(readAsset('package.json').toString('utf8')) as { version: string }).version)
  return 0
}
