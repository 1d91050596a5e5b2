/**
 * A question to a service by its URL, as JSON. A name is resolved once and the connection goes to an address that was
 * checked: none of a private, link-local or own network unless allowed. Redirects are not followed; an answer has a size
 * and a time. Times are milliseconds.
 */
import { lookup } from 'node:dns/promises'
import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import ipaddr from 'ipaddr.js'

export type Network = ReturnType<typeof ipaddr.parseCIDR>
export type Question = {
  readonly url: URL
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
  readonly maxBytes: number
  readonly allowed: readonly Network[]
  /** PEM; null: the system's. */
  readonly ca: string | null
}

/** @throws {Error} for what is no `address/length`. */
export const parseNetwork = (cidr: string): Network => ipaddr.parseCIDR(cidr)

/** Whether a question may go there. */
export function mayAsk(address: string, allowed: readonly Network[], own: readonly string[] = ownAddresses()): boolean {
  const parsed = ipaddr.process(address)
  if (allowed.some(([network, length]) => network.kind() === parsed.kind() && parsed.match(network, length))) return true
  return parsed.range() === 'unicast' && !own.includes(parsed.toString())
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => ipaddr.process(address).toString()))

/** @throws {Error} saying what failed: the address, the connection, the status, the size, the time or the JSON. */
export async function postJson(question: Question): Promise<unknown> {
  const deadline = AbortSignal.timeout(question.connectTimeoutMs)
  const address = await Promise.race([permittedAddress(question), aborted(deadline)])
  const text = await exchange(question, address)
  return text === '' ? {} : JSON.parse(text)
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('no answer to its name in time')), { once: true }),
  )

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')

async function permittedAddress({ url, allowed }: Question): Promise<string> {
  const host = hostOf(url)
  const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address)
  const found = addresses.find((address) => mayAsk(address, allowed))
  if (found === undefined) {
    throw new Error(
      `${addresses.join(', ')} is private, link-local or this host's own; [api] vendordata_dynamic_allowed_networks may allow it`,
    )
  }
  return found
}

function exchange(question: Question, address: string): Promise<string> {
  const { url, headers, connectTimeoutMs, readTimeoutMs, maxBytes, ca } = question
  const body = JSON.stringify(question.body)
  const isTls = url.protocol === 'https:'
  const host = hostOf(url)
  return new Promise((resolve, reject) => {
    const request = (isTls ? https : http).request({
      method: 'POST',
      host: address,
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host, 'content-length': Buffer.byteLength(body) },
      agent: false,
      ...(isTls && { ...(isIP(host) ? {} : { servername: host }), ...(ca !== null && { ca }) }),
    })
    const fail = (why: string) => request.destroy(new Error(why))
    let timer = setTimeout(fail, connectTimeoutMs, 'no connection in time')
    request.once('socket', (socket) =>
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        timer = setTimeout(fail, readTimeoutMs, 'no answer in time')
      }),
    )
    request.on('error', reject)
    request.once('close', () => clearTimeout(timer))
    request.once('response', (response) => {
      const status = response.statusCode ?? 0
      if (![200, 201, 202, 204].includes(status)) return fail(`status ${status}`)
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > maxBytes) fail(`more than ${maxBytes} bytes`)
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    })
    request.end(body)
  })
}
