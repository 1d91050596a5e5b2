/**
 * Proving who we are: nothing where the daemon asks for nothing, polkit where it decides alone, else SASL PLAIN.
 *
 * @see https://libvirt.org/auth.html
 */
import type { Channel } from './channel.ts'
import { ErrorCode, LibvirtError } from './errors.ts'
import { procedures } from './procedures.ts'

const AuthType = { none: 0, sasl: 1, polkit: 2 } as const
export type Credentials = { username: string; password: string }

/**
 * @param confidential whether the transport hides a password from others
 * @throws {LibvirtError} AUTH_FAILED, or AUTH_UNAVAILABLE when we and the daemon have no way in common
 */
export async function authenticate(channel: Channel, credentials: Credentials | undefined, confidential: boolean): Promise<void> {
  const { types } = await channel.call(procedures.authList, undefined)
  if (types.length === 0 || types.includes(AuthType.none)) return
  if (types.includes(AuthType.sasl) && credentials) return saslPlain(channel, credentials, confidential)
  if (types.includes(AuthType.polkit)) {
    const { complete } = await channel.call(procedures.authPolkit, undefined)
    if (!complete) throw new LibvirtError(ErrorCode.AUTH_FAILED, 'polkit did not let us in')
    return
  }
  throw new LibvirtError(ErrorCode.AUTH_UNAVAILABLE, 'the daemon asks for SASL, and there are no credentials')
}

async function saslPlain(channel: Channel, credentials: Credentials, confidential: boolean): Promise<void> {
  if (!confidential) throw new LibvirtError(ErrorCode.AUTH_UNAVAILABLE, 'a password is not sent over plain TCP; use TLS or SSH')
  const { mechanisms } = await channel.call(procedures.authSaslInit, undefined)
  if (!mechanisms.split(/[ ,]+/).includes('PLAIN')) {
    throw new LibvirtError(ErrorCode.AUTH_UNAVAILABLE, `the daemon offers ${mechanisms}, but not PLAIN`)
  }
  const data = Buffer.from(`\0${credentials.username}\0${credentials.password}`)
  const { complete } = await channel.call(procedures.authSaslStart, { mechanism: 'PLAIN', nil: false, data })
  if (!complete) throw new LibvirtError(ErrorCode.AUTH_FAILED, 'the daemon wants more than PLAIN has to say')
}
