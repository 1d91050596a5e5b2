/**
 * The console pages over HTTP. They need no token: what they open does. Only listed files are served, nothing is listed, nothing redirects.
 *
 * A page's URL carries a console token, so no referrer leaves it, and it runs and loads only what comes from here. A serial line's URL is
 * its WebSocket's: who asks for it without a handshake is a browser and gets the page.
 */
import { notFound } from '../../base/errors.ts'
import { type Dialect, escapeHtml, type Incoming, operation, Reply, type Service } from '../../base/http/index.ts'
import { type Page, type PageFile, pageFile, pages } from './files.ts'

const dialect: Dialect = {
  render: ({ status, title, message }) =>
    `<!DOCTYPE html>\n<html lang="en"><head><title>${status} ${title}</title></head><body><h1>${title}</h1><p>${escapeHtml(message)}</p></body></html>\n`,
  wrongMethod: 405,
  overQuota: 403,
}

const fileHeaders = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' }

/**
 * noVNC and spice-html5 draw pictures and pointers by `data:` images, and touch styles by script alone. xterm.js writes its colours into
 * `style` elements and attributes, which only that page allows; what the guest says becomes text and never markup.
 */
const pageHeaders = (page: Page, frameAncestors: readonly string[]): Record<string, string> => {
  const isOwnOnly = frameAncestors.every((source) => source === "'self'")
  const ancestors = frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ')
  const style = page === 'serial' ? "'self' 'unsafe-inline'" : "'self'"
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src ${style}; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${ancestors}`,
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    // Older browsers know this one only; it cannot name other origins.
    ...(ancestors === "'none'" ? { 'x-frame-options': 'DENY' } : isOwnOnly ? { 'x-frame-options': 'SAMEORIGIN' } : {}),
  }
}

const unknown = () => notFound('There is no such page.')

function answer({ header }: Pick<Incoming, 'header'>, found: PageFile | undefined, headers: Record<string, string>): Reply {
  if (!found) throw unknown()
  const all = { ...fileHeaders, etag: found.etag, ...headers }
  if (headers['cache-control'] !== 'no-store' && header('if-none-match') === found.etag) return new Reply({ status: 304, headers: all })
  return new Reply({ headers: { ...all, 'content-type': found.type }, body: found.body })
}

/** @param tokenOf what a token that is still good opens */
export function consoleService(
  frameAncestors: readonly string[],
  tokenOf: (token: string) => { readonly isSerial: boolean; readonly name: string } | null,
): Service {
  const common = { method: 'GET', status: 200, errors: [404], auth: 'none' } as const
  const revalidated = { 'cache-control': 'no-cache' }
  const paths: readonly (readonly [Page, string])[] = [
    ['vnc', '/vnc_lite.html'],
    ['vnc', '/vnc.html'],
    ['vnc', '/vnc_auto.html'],
    ['spice', '/spice_auto.html'],
  ]
  return {
    name: 'console',
    dialect,
    deps: undefined,
    operations: [
      ...paths.map(([page, path]) => {
        const headers = pageHeaders(page, frameAncestors)
        return operation({ ...common, path, handle: (request) => answer(request, pageFile(pages[page]), headers) })
      }),
      operation({
        ...common,
        path: '/websockify',
        handle: (request) => {
          const found = tokenOf(request.search.get('token') ?? '')
          if (found && !found.isSerial) throw unknown()
          return answer(request, named(pageFile(pages.serial), found?.name ?? ''), pageHeaders('serial', frameAncestors))
        },
      }),
      operation({ ...common, path: '/{*file}', handle: (request) => answer(request, pageFile(assetName(request)), revalidated) }),
      operation({
        ...common,
        path: '/',
        handle: (): Reply => {
          throw unknown()
        },
      }),
    ],
  }
}

/** The server's name is not in a serial line's URL, which is to be as clients know it. */
const named = (page: PageFile | undefined, name: string): PageFile | undefined =>
  page && { ...page, body: page.body.toString().replace('data-name=""', () => `data-name="${escapeHtml(name)}"`) }

/** The pages go out under their own paths only, with their own headers. */
const assetName = ({ params }: Pick<Incoming, 'params'>): string => {
  const name = params.file ?? ''
  return Object.values<string>(pages).includes(name) ? '' : name
}
