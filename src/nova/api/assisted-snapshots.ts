/**
 * Snapshots of volumes that need the hypervisor's help, asked for by the volume service. No server of this cloud has a
 * volume of that kind, so each well-formed request learns that its volume is in no server.
 *
 * @see https://docs.openstack.org/api-ref/compute/#assisted-volume-snapshots-os-assisted-volume-snapshots
 */
import { invalid, notFound } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, operation, Type } from '../../base/http/index.ts'
import type { NovaApi } from './deps.ts'
import { anyText, type Known, knownQuery } from './known-query.ts'

const word = Type.String({ minLength: 1, maxLength: 255 })
const createInfo = Type.Object(
  { snapshot_id: word, type: Type.Unsafe<'qcow2'>({ type: 'string', enum: ['qcow2'] }), new_file: word, id: Type.Optional(word) },
  closed,
)
const snapshotBody = Type.Object({ snapshot: Type.Object({ volume_id: word, create_info: createInfo }, closed) }, closed)

const inNoServer = (volume: string) => `No volume Block Device Mapping with id ${volume}.`

const createSnapshot = operation({
  method: 'POST',
  path: '/os-assisted-volume-snapshots',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-assisted-volume-snapshots:create',
  body: bodies({ '2.1': as(snapshotBody, ({ snapshot }) => snapshot.volume_id) }),
  handle: ({ body }: Incoming<string>, _nova: NovaApi): undefined => {
    throw invalid(inNoServer(body))
  },
})

/** @throws {CloudError} `invalid` for what does not name a volume in JSON. */
function volumeIn({ delete_info: text = '' }: Known): string {
  try {
    const { volume_id: id } = JSON.parse(text) as { volume_id?: unknown }
    if (typeof id === 'string' && id !== '') return id.slice(0, 255)
  } catch {
    // Said below, as for JSON without a volume.
  }
  throw invalid('delete_info must be JSON that names a volume_id.')
}

const deleteSnapshot = operation({
  method: 'DELETE',
  path: '/os-assisted-volume-snapshots/{snapshot_id}',
  status: 204,
  errors: [400, 403, 404],
  policy: 'os_compute_api:os-assisted-volume-snapshots:delete',
  query: knownQuery({ '2.1': { delete_info: anyText } }, '2.75'),
  handle: ({ query }: Incoming<undefined, Known>, _nova: NovaApi): undefined => {
    throw notFound(inNoServer(volumeIn(query)))
  },
})

export const assistedSnapshotOperations = [createSnapshot, deleteSnapshot]
