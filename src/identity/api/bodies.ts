/** Pieces of the request bodies: names, and attributes of the client's own, which Keystone keeps and shows again. */
import { invalid } from '../../base/errors.ts'
import { closed, nullable, type Principal, Type } from '../../base/http/index.ts'
import type { Extra } from '../state.ts'

/** A name with something to see in it. */
export const nameOf = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '[\\S]+' })
export const idText = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-]+$' })
export const optionalText = Type.Optional(nullable(Type.String()))
export const immutableOptions = Type.Optional(Type.Object({ immutable: Type.Optional(nullable(Type.Boolean())) }, closed))

/** Of a body that may hold anything, what `known` doesn't name. */
export function extraOf(body: object, known: readonly string[]): Extra {
  const skipped = new Set([...known, 'id', 'links'])
  return Object.fromEntries(Object.entries(body).filter(([name]) => !skipped.has(name)))
}

/** The domain that a new thing falls into when the body names none. @throws {CloudError} `invalid` for a token without one. */
export function domainOf(given: string | null | undefined, principal: Principal): string {
  const found = given ?? principal.domainId ?? principal.projectDomainId
  if (found === null || found === undefined)
    throw invalid('You have tried to create a resource using the admin token without a domain: name a domain_id.')
  return found
}

/** A manager or reader of a domain only lists what lies in it. */
export const listedDomain = ({ domainId, isAdmin }: Principal): string | null => (isAdmin ? null : domainId)
