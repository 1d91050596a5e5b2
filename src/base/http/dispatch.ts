/**
 * One request's way: mount → token → operation → version → body → policy → handler → answer.
 *
 * The order of checks is OpenStack's, since a client that makes two mistakes is told the same one first: size, token,
 * route, version, media type, shape, project in the path, window, schema; then the handler's own.
 */
import { randomUUID } from 'node:crypto'
import { CloudError, invalid, notFound } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { turn } from '../turn.ts'
import { checkMediaType, parseJson, readText, tooLarge } from './body.ts'
import type { Principal, RequestContext } from './context.ts'
import { type Negotiated, negotiator, version } from './microversion.ts'
import type { Incoming, Method } from './operation.ts'
import type { PolicyEngine, Target } from './policy/index.ts'
import { refuse, UnknownRoute, WrongMethod } from './refuse.ts'
import { respond, type SendPieces } from './respond.ts'
import { Router, type Windowed } from './router.ts'
import type { Mount, Service } from './service.ts'
import type { Trace } from './trace.ts'

/** @throws {CloudError} `unauthenticated` for a token that is not, or no longer, good. */
export type Authenticate = (token: string) => Principal | Promise<Principal>

export type DispatcherOptions = {
  mounts: readonly Mount[]
  authenticate: Authenticate
  policy: PolicyEngine
  log: Log
  metrics?: Metrics
  /** Believe `X-Forwarded-Proto` and `X-Forwarded-Host`: only behind a proxy that sets them. */
  trustForwarded?: boolean
  /** How long a body of JSON may take to come. */
  bodyWithinMs?: number
  /** An error that the operation doesn't list becomes 500, as in tests; otherwise it is logged as the bug it is. */
  strict?: boolean
}

/** What the socket's side knows; absent when requests are made in process. */
export type Peer = { remoteAddress?: string | undefined; sendPieces?: SendPieces }

const defaultBodyLimit = 114_688

type Compiled = {
  prefix: string
  below: string
  service: Service
  router: Router
  negotiate: ReturnType<typeof negotiator> | null
  /** What is served without negotiation. */
  fixed: Negotiated
}

export class Dispatcher {
  readonly #mounts: Compiled[]
  readonly #options: DispatcherOptions

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#mounts = options.mounts
      .map(({ prefix, service }) => ({
        prefix,
        below: `${prefix}/`,
        service,
        router: new Router(service.operations),
        negotiate: service.microversions ? negotiator(service.microversions) : null,
        fixed: { version: service.frozenAt === undefined ? 0 : version(service.frozenAt), headers: {} },
      }))
      .sort((a, b) => b.prefix.length - a.prefix.length)
    for (const { service } of options.mounts) if (service.policies) options.policy.add(service.policies, service.scopes)
  }

  async dispatch(request: Request, peer: Peer = {}): Promise<Response> {
    const startedAt = performance.now()
    const wait = turn()
    if (wait) await wait
    const { origin, path, search } = this.#address(request)
    const mounted = this.#mounts.find(({ prefix, below }) => path.startsWith(below) || path === prefix)
    if (!mounted)
      return new Response('{"error": {"code": 404, "title": "Not Found", "message": "No service answers here."}}\n', {
        status: 404,
        headers: { 'content-type': 'application/json' },
      })
    const trace: Trace = { requestId: `req-${randomUUID()}`, operationId: 'none', versionHeaders: {}, entry: null }
    let response: Response
    try {
      const at = { origin, path: path.slice(mounted.prefix.length) || '/', search }
      const isBare = mounted.service.rootHasSlash === true && path === mounted.prefix && ['GET', 'HEAD'].includes(request.method)
      response = isBare ? sentOn(`${origin}${path}/`, search) : await this.#answer(mounted, request, at, trace, peer)
    } catch (error) {
      const { log, strict } = this.#options
      response = refuse(mounted.service, error, trace, { origin, isHead: request.method === 'HEAD', log, strict })
    }
    const seconds = (performance.now() - startedAt) / 1000
    this.#options.metrics?.requestSeconds.observe(
      { service: mounted.service.name, operation: trace.operationId, status: response.status },
      seconds,
    )
    const level = request.method === 'GET' ? 'debug' : 'info'
    if (this.#options.log.isLevelEnabled(level))
      this.#options.log[level](
        { request_id: trace.requestId, method: request.method, path, status: response.status, ms: Math.round(seconds * 1e5) / 100 },
        'request',
      )
    return response
  }

  #address(request: Request): { origin: string; path: string; search: string } {
    const { url } = request
    const afterScheme = url.indexOf('://') + 3
    const pathAt = url.indexOf('/', afterScheme)
    const origin = pathAt < 0 ? url : url.slice(0, pathAt)
    const rest = pathAt < 0 ? '/' : url.slice(pathAt)
    const queryAt = rest.indexOf('?')
    const path = queryAt < 0 ? rest : rest.slice(0, queryAt)
    const search = queryAt < 0 ? '' : rest.slice(queryAt + 1).replace(/#.*$/, '')
    if (!this.#options.trustForwarded) return { origin, path, search }
    const first = (name: string) => request.headers.get(name)?.split(',')[0]?.trim()
    const scheme = first('x-forwarded-proto') ?? url.slice(0, afterScheme - 3)
    const host = first('x-forwarded-host') ?? origin.slice(afterScheme)
    return { origin: `${scheme}://${host}`, path, search }
  }

  async #answer(
    mounted: Compiled,
    request: Request,
    at: { origin: string; path: string; search: string },
    trace: Trace,
    peer: Peer,
  ): Promise<Response> {
    const { service, router, negotiate, fixed } = mounted
    const { path, projectInPath } = service.projectInPath ? splitProject(router, at.path) : { path: at.path, projectInPath: null }
    const isElsewhere = service.toleratesSlash === false && path.length > 1 && path.endsWith('/')
    const matched = isElsewhere ? null : router.match(request.method as Method, path)
    const header = (name: string) => request.headers.get(name) ?? undefined

    const isOpen = matched !== null && matched !== 'wrong-method' && matched.entries.every(({ operation }) => operation.auth === 'none')
    const found = request.method === 'HEAD' && service.answersHead === false && matched !== null && !isOpen ? 'wrong-method' : matched
    if (found !== null && found !== 'wrong-method') checkDeclared(header('content-length'), service, found.entries)
    const principal = isOpen ? null : this.#options.policy.judged(await this.#principal(header('x-auth-token')), service.adminRule)
    if (found === null) throw new UnknownRoute()
    if (found === 'wrong-method') throw service.dialect.wrongMethod === 404 ? new UnknownRoute() : new WrongMethod(router.methods(path))
    if (found.entries[0]) trace.operationId = found.entries[0].id

    const refused = (headers: Record<string, string>) => {
      trace.versionHeaders = headers
    }
    const negotiated: Negotiated = negotiate && !isOpen ? negotiate(header, refused) : fixed
    trace.versionHeaders = negotiated.headers

    const stream = found.entries[0]?.operation.stream === true
    const raw =
      stream || request.method === 'GET' || request.method === 'HEAD' ? undefined : await this.#body(service, request, found.entries)
    const entry = this.#choose(found.entries, negotiated.version, raw)
    trace.operationId = entry.id
    const { operation } = entry

    if (projectInPath !== null && principal && projectInPath !== principal.projectId) {
      throw invalid(
        `Malformed request URL: URL's project_id '${projectInPath.slice(0, 64)}' doesn't match Context's project_id '${principal.projectId}'`,
      )
    }
    if (entry.since > negotiated.version || entry.until < negotiated.version) throw notFound('The resource could not be found.')
    trace.entry = entry

    const context: RequestContext = {
      requestId: trace.requestId,
      globalRequestId: globalRequestId(header('x-openstack-request-id')),
      principal,
      version: negotiated.version,
      origin: at.origin,
      baseUrl: at.origin + mounted.prefix,
      projectPrefix: projectInPath === null ? '' : `/${projectInPath}`,
      remoteAddress: peer.remoteAddress ?? null,
    }
    let searchParams: URLSearchParams | undefined
    const search = () => {
      searchParams ??= new URLSearchParams(at.search)
      return searchParams
    }
    const query = operation.query ? operation.query(grouped(search()), negotiated.version) : undefined
    const body = operation.body ? operation.body(raw, negotiated.version, service.frozenAt !== undefined) : raw
    const { policy } = this.#options
    const own: Target = {
      projectId: principal?.projectId ?? null,
      userId: principal?.userId ?? null,
      domainId: principal?.domainId ?? null,
    }
    let aim = own
    const incoming: Incoming<unknown, unknown> = {
      context,
      params: found.params,
      body,
      query,
      get search() {
        return search()
      },
      path,
      header,
      contentLength: request.headers.has('content-length') ? Number(request.headers.get('content-length')) : null,
      stream: () => request.body ?? emptyStream(),
      enforce: (name, target = aim) => {
        if (principal) policy.enforce(name, principal, target, service.dialect.forbidden)
      },
      allows: (name, target = aim) => principal !== null && policy.allows(name, principal, target),
    }
    if (operation.target && principal) aim = operation.target(incoming, service.deps)
    if (operation.policy) incoming.enforce(operation.policy)
    const result = await operation.handle(incoming, service.deps)
    return respond(service, request.method, operation, result, entry.status(negotiated.version), context, trace, peer.sendPieces)
  }

  async #principal(token: string | undefined): Promise<Principal> {
    if (!token) throw new CloudError('unauthenticated', 'The request you have made requires authentication.')
    return await this.#options.authenticate(token)
  }

  async #body(service: Service, request: Request, entries: readonly Windowed[]): Promise<unknown> {
    const limit = limitOf(service, entries)
    const text = await readText(request, limit, this.#options.bodyWithinMs)
    if (service.jsonOnly && text !== '') checkMediaType(request.headers.get('content-type'))
    return parseJson(text)
  }

  /** Among the operations of one path, the one for this version; among actions, the one that the body's key names. */
  #choose(entries: readonly Windowed[], at: number, raw: unknown): Windowed {
    const within = ({ since, until }: Windowed) => since <= at && at <= until
    if (!entries.some(({ operation }) => operation.action !== undefined)) {
      return entries.find(within) ?? entries[0]!
    }
    const keys = typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? Object.keys(raw) : []
    if (keys.length !== 1) throw invalid('Malformed request body')
    const named = entries.filter(({ operation }) => operation.action === keys[0])
    if (named.length === 0) throw invalid(`There is no such action: ${keys[0]?.slice(0, 64)}`)
    return named.find(within) ?? named[0]!
  }
}

const sentOn = (url: string, search: string): Response =>
  new Response(null, { status: 302, headers: { location: search === '' ? url : `${url}?${search}` } })

function splitProject(router: Router, path: string): { path: string; projectInPath: string | null } {
  const end = path.indexOf('/', 1)
  const first = end < 0 ? path.slice(1) : path.slice(1, end)
  if (first === '' || router.knows(first) || !/^[0-9a-f-]{1,64}$/.test(first)) return { path, projectInPath: null }
  return end < 0 ? { path, projectInPath: null } : { path: path.slice(end) || '/', projectInPath: first }
}

function grouped(search: URLSearchParams): Record<string, string[]> {
  const found: Record<string, string[]> = Object.create(null)
  for (const [name, value] of search) {
    found[name] ??= []
    found[name].push(value)
  }
  return found
}

const globalRequestId = (text: string | undefined): string | null => (text !== undefined && /^req-[0-9a-f-]{36}$/i.test(text) ? text : null)

const limitOf = (service: Service, entries: readonly Windowed[]): number =>
  entries[0]?.operation.bodyLimit ?? service.bodyLimit ?? defaultBodyLimit

/** A body that says that it is too large is told so before anything else, as OpenStack's limiter stands before its guard. */
function checkDeclared(declared: string | undefined, service: Service, entries: readonly Windowed[]): void {
  if (declared === undefined || entries[0]?.operation.stream === true) return
  if (Number(declared) > limitOf(service, entries)) throw tooLarge()
}

async function* emptyStream(): AsyncIterable<Uint8Array> {}
