/** The Placement API: all operations, by resource. */
import { rootOperations } from './root.ts'

export { policies } from './policy.ts'
export { maxVersion, minVersion } from './root.ts'

export const operations = [...rootOperations]
