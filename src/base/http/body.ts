/** Request bodies: bounded, and parsed once. */
import { CloudError, invalid } from '../errors.ts'

export const tooLarge = () => new CloudError('too-large', 'Request is too large.')

/** How long a body of JSON may take to come, unless told. */
const usualMs = 60_000

/**
 * @param withinMs who never sends the rest would hold a connection for good.
 * @throws {CloudError} `too-large` beyond `limit` bytes, whatever the declared length said; `invalid` when it breaks off or comes too slowly.
 */
export async function readText(request: Request, limit: number, withinMs = usualMs): Promise<string> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(invalid('The body of the request did not come in time.')), withinMs)
  try {
    return await Promise.race([readWhole(request, limit), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

async function readWhole(request: Request, limit: number): Promise<string> {
  const declared = request.headers.get('content-length')
  try {
    if (declared !== null) {
      // Node ends a body at its declared length.
      if (!(Number(declared) <= limit)) throw tooLarge()
      return await request.text()
    }
    if (!request.body) return ''
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of request.body) {
      size += chunk.byteLength
      if (size > limit) throw tooLarge()
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } catch (error) {
    throw error instanceof CloudError ? error : invalid('The request body could not be read.', { cause: error })
  }
}

const isJson = (contentType: string): boolean => /^application\/([\w.+-]+\+)?json\b/i.test(contentType)

/** @throws {CloudError} `unsupported-media` for a media type that is neither JSON nor, as OpenStack has it, plain text or none. */
export function checkMediaType(contentType: string | null): void {
  if (contentType === null || contentType === '' || isJson(contentType) || /^text\/plain\b/i.test(contentType)) return
  throw new CloudError('unsupported-media', `Unsupported Content-Type: ${contentType.slice(0, 80)}`)
}

/** Deeper than any OpenStack document; what walks a body (validation, messages, storing) recurses no further. */
const deepest = 64

/** @throws {CloudError} `invalid` for what is no JSON or nests too deep. */
export function parseJson(text: string): unknown {
  if (text === '') return undefined
  if (nestsTooDeep(text)) throw invalid('Malformed request body')
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words quote the body, and a cause is logged.
    throw invalid('Malformed request body')
  }
}

function nestsTooDeep(text: string): boolean {
  if (text.length <= deepest) return false
  let depth = 0
  let inText = false
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]
    if (inText) {
      if (sign === '\\') at++
      else if (sign === '"') inText = false
    } else if (sign === '"') inText = true
    else if (sign === '[' || sign === '{') {
      if (++depth > deepest) return true
    } else if (sign === ']' || sign === '}') depth--
  }
  return false
}
