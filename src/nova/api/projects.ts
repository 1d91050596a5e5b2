/** Projects that a request names: asked of identity, so that nothing is kept for one that is not there. */
import { invalid } from '../../base/errors.ts'
import type { NovaApi } from './deps.ts'

/** @throws {CloudError} `invalid` for one that identity does not know. */
export function requireProject({ identity }: Pick<NovaApi, 'identity'>, projectId: string): void {
  if (!identity.project(projectId)) throw invalid(`Project ID ${projectId.slice(0, 255)} is not a valid project.`)
}
