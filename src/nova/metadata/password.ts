/**
 * The password that a guest's agent makes, encrypts for the owner's key and posts, once; the owner reads it at
 * `/servers/{id}/os-server-password`. Kept in four pieces, since a value of system metadata has at most 255 characters.
 */
import { conflict, invalid, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Instances } from '../model/index.ts'

const pieceLength = 255
const pieces = ['password_0', 'password_1', 'password_2', 'password_3'] as const
const maxBytes = pieceLength * pieces.length

export const readPassword = (instances: Instances, uuid: string): string => {
  const kept = instances.systemMetadata(uuid)
  return pieces.map((key) => kept[key] ?? '').join('')
}

/** @throws {CloudError} `invalid` when too long or no text, `conflict` when there is one already, `not-found` for a server that is gone. */
export function setPassword({ db, instances }: { db: Ground['db']; instances: Instances }, uuid: string, body: Uint8Array): void {
  if (body.byteLength > maxBytes) throw invalid('Request is too large.')
  const characters = Array.from(decode(body))
  db.transaction(() => {
    if (!instances.find(uuid)) throw notFound(`Instance ${uuid} could not be found.`)
    if (readPassword(instances, uuid) !== '') throw conflict('The password was set already.')
    const change = pieces.map((key, i) => [key, characters.slice(i * pieceLength, (i + 1) * pieceLength).join('')])
    instances.setSystemMetadata(uuid, Object.fromEntries(change))
  })
}

function decode(body: Uint8Array): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    throw invalid('The password is not UTF-8 text.')
  }
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) throw invalid('The password has control characters.')
  return text
}
