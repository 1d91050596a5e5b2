/** `minicloud image`: brings images into the running cloud, through its API as any client would, and builds `tiny`. */
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, extname, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { messageOf } from '../base/errors.ts'
import { inspect, loadTiny } from '../image/index.ts'
import { type CloudEntry, readCloud } from './clouds-file.ts'
import { loadSettings, type SettingsFlags } from './settings.ts'
import { CommandFailed, err, out, outJson, type Shell } from './shell.ts'

type AddFlags = SettingsFlags & { json?: boolean; name?: string; diskFormat?: string; public?: boolean }

/** @throws {CommandFailed} with the cloud's own words when it refuses the image; what was made of it is removed again. */
export async function addImage(file: string, flags: AddFlags, shell: Shell): Promise<void> {
  const cloud = readCloud(loadSettings(flags, shell).dataDir, 'minicloud')
  const { size } = await stat(file)
  const diskFormat = flags.diskFormat ?? (await formatOf(file, size))
  const { token, endpoint } = await authenticate(cloud)
  const call = (method: string, path: string, init: RequestInit = {}) =>
    request(`${endpoint}/v2/images${path}`, { ...init, method, headers: { 'x-auth-token': token, ...init.headers } })

  const name = flags.name ?? basename(file, extname(file))
  const visibility = flags.public ? 'public' : 'shared'
  const made = await call('POST', '', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, disk_format: diskFormat, container_format: 'bare', visibility }),
  })
  const { id } = (await made.json()) as { id: string }
  try {
    const upload: RequestInit = {
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
      body: Readable.toWeb(createReadStream(file)),
      duplex: 'half',
    }
    await call('PUT', `/${id}/file`, upload)
  } catch (error) {
    await call('DELETE', `/${id}`).catch(() => undefined)
    throw error
  }
  const image = (await (await call('GET', `/${id}`)).json()) as Record<string, unknown>
  if (flags.json) outJson(image)
  else out(`${id}  ${name}  ${diskFormat}  ${size} bytes  ${String(image.status)}`)
}

/** What the bytes themselves say; the cloud looks again. */
async function formatOf(path: string, size: number): Promise<string> {
  const file = await open(path)
  try {
    const { format } = await inspect({
      size,
      async read(offset, length) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      },
    })
    return format
  } finally {
    await file.close()
  }
}

type Catalog = { type: string; endpoints: { interface: string; region_id: string; url: string }[] }[]

/** @throws {CommandFailed} */
async function authenticate({ authUrl, username, password, project, region }: CloudEntry): Promise<{ token: string; endpoint: string }> {
  const domain = { name: 'Default' }
  const response = await request(`${authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
        scope: { project: { name: project, domain } },
      },
    }),
  })
  const { token } = (await response.json()) as { token: { catalog: Catalog } }
  const endpoints = token.catalog.find(({ type }) => type === 'image')?.endpoints ?? []
  const endpoint = endpoints.find((one) => one.interface === 'public' && one.region_id === region)?.url
  if (endpoint === undefined) throw new CommandFailed(`the cloud at ${authUrl} has no image service in the region ${region}`)
  return { token: response.headers.get('x-subject-token') ?? '', endpoint: endpoint.replace(/\/$/, '') }
}

/** @throws {CommandFailed} when nobody answers, or with the message of the answer. */
async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw new CommandFailed(`${new URL(url).origin} does not answer (${messageOf(cause)}): is the cloud running?`)
  })
  if (response.ok) return response
  const body = await response.text()
  throw new CommandFailed(`the cloud refuses (${response.status}): ${messageIn(body)}`)
}

/** The sentence within a fault: of JSON in any dialect, or of Glance's HTML page. */
function messageIn(body: string): string {
  try {
    const fault = Object.values(JSON.parse(body) as Record<string, { message?: unknown }>)[0]
    if (typeof fault?.message === 'string') return fault.message
  } catch {
    // No JSON.
  }
  const text = body.replace(/<(title|h1)>[^<]*<\/\1>/g, '').replace(/<[^>]*>/g, ' ')
  return text.replace(/\s+/g, ' ').trim().slice(0, 500)
}

/** @throws {CommandFailed} naming what is missing on this machine. */
export async function buildTinyImage({ out: folder = '.', json }: { out?: string; json?: boolean }): Promise<void> {
  const { buildTiny } = await loadTiny()
  const tiny = await buildTiny({ workDir: tmpdir(), outDir: resolve(folder), log: err }).catch((error: unknown) => {
    throw new CommandFailed(messageOf(error), { cause: error })
  })
  if (json) outJson(tiny)
  else for (const file of [tiny.disk, tiny.kernel, tiny.initrd]) out(file)
}
