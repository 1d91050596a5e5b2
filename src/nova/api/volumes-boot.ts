/**
 * `/os-volumes_boot`: a second, undocumented way to `/servers` and to the actions that servers have by themselves, up to
 * 2.102. The operations are the same; their answers link to `/servers`.
 */
import { type AnyOperation, version } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'
import { actionPath } from './server-actions.ts'

const until = '2.102'
const paths = ['/servers', '/servers/detail', '/servers/{server_id}']
const actions = ['confirmResize', 'revertResize', 'reboot', 'resize', 'rebuild', 'createImage', 'os-start', 'os-stop', 'trigger_crash_dump']

export const volumesBootOperations = (operations: readonly AnyOperation<NovaApi>[]): AnyOperation<NovaApi>[] =>
  operations
    .filter(({ path, action }) => paths.includes(path) || (path === actionPath && action !== undefined && actions.includes(action)))
    .filter(({ since }) => since === undefined || version(since) <= version(until))
    .map((operation) => ({
      ...operation,
      path: operation.path.replace('/servers', '/os-volumes_boot'),
      until: operation.until !== undefined && version(operation.until) < version(until) ? operation.until : until,
    }))
