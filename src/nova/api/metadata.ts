/** Names and values that clients keep with a thing: what the metadata of servers, of images and extra specs have in common. */
import { invalid } from '../../base/errors.ts'
import { as, bodies, closed, type Incoming, Type } from '../../base/http/index.ts'
import { metadataSchema } from './schemas.ts'

export type Pairs = Readonly<Record<string, string>>

const oneSchema = Type.Unsafe<Pairs>({ ...metadataSchema, minProperties: 1, maxProperties: 1 })

export const metadataBody = bodies<Pairs>({ '2.1': as(Type.Object({ metadata: metadataSchema }, closed), ({ metadata }) => metadata) })
export const metadataItemBody = bodies<Pairs>({ '2.1': as(Type.Object({ meta: oneSchema }, closed), ({ meta }) => meta) })

/** @throws {CloudError} `invalid` unless the body has the item that the path names. */
export function checkNamedItem({ body, params }: Incoming<Pairs>): void {
  if (!Object.hasOwn(body, params.key ?? '')) throw invalid('Request body and URI mismatch')
}

/** Merges as own properties, whatever the names are. */
export const merged = (before: Pairs, change: Pairs): Pairs => Object.fromEntries([...Object.entries(before), ...Object.entries(change)])

export const without = (pairs: Pairs, key: string): Pairs => Object.fromEntries(Object.entries(pairs).filter(([name]) => name !== key))
