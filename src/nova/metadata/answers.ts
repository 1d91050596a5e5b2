/** From a path to its answer: which tree, which version, which leaf. Only `password` looks at the method. */
import { invalid, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Model } from '../model/index.ts'
import { ec2Tree } from './ec2.ts'
import type { Guest } from './guests.ts'
import { document, folder } from './openstack.ts'
import { readPassword, setPassword } from './password.ts'
import { find, render } from './render.ts'
import { ec2Listing, ec2Version, openstackListing, openstackVersion, since } from './versions.ts'

export type Question = {
  readonly method: string
  readonly path: readonly string[]
  readonly body: Uint8Array
  readonly address: string | null
}
export type Answer = { readonly body: string | Uint8Array; readonly contentType: string }

const plain = (body: string | Uint8Array): Answer => ({ body, contentType: 'text/plain; charset=UTF-8' })
const noSuchPath = () => notFound('Invalid metadata path.')

/** Answered to anybody: the versions. */
export const rootAnswer = (): Answer => plain(render(ec2Listing()))

/**
 * @throws {CloudError} `not-found` for a path that leads nowhere; `invalid`, `conflict` from the password; `unavailable` when vendor data may not fail.
 */
export async function answer(ground: Pick<Ground, 'db' | 'clock'> & { model: Model }, guest: Guest, question: Question): Promise<Answer> {
  const [tree, ...rest] = question.path
  if (tree === 'openstack') return openstackAnswer(ground, guest, question, rest)
  const [word, ...leaf] = tree === 'ec2' ? rest : question.path
  if (word === undefined) return rootAnswer()
  const version = ec2Version(word)
  const found = version === null ? null : find(ec2Tree(guest, version, question.address), leaf)
  if (found === null) throw noSuchPath()
  return plain(render(found))
}

async function openstackAnswer(
  { db, clock, model }: Pick<Ground, 'db' | 'clock'> & { model: Model },
  guest: Guest,
  { method, body }: Question,
  [word, name, ...more]: readonly string[],
): Promise<Answer> {
  if (word === undefined) return plain(render(openstackListing(clock.text().slice(0, 10))))
  const version = openstackVersion(word)
  if (version === null || more.length > 0) throw noSuchPath()
  if (name === undefined) return plain(render(folder(guest, version)))
  if (name === 'password' && version >= since.seedAndPassword) {
    if (method === 'GET') return plain(readPassword(model.instances, guest.instance.uuid))
    if (method !== 'POST') throw invalid('Only GET and POST are known here.')
    setPassword({ db, instances: model.instances }, guest.instance.uuid, body)
    return plain('')
  }
  const found = await document(guest, version, name)
  if (found === null) throw noSuchPath()
  return found.isJson ? { body: found.body, contentType: 'application/json' } : plain(found.body)
}
