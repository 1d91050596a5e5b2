/**
 * The console page over HTTP. It needs no token: what it opens does. Only listed files are served, nothing is listed, nothing redirects.
 *
 * The page's URL carries a console token, so no referrer leaves it, and it runs and loads only what comes from here.
 */
import { notFound } from '../../base/errors.ts'
import { type Dialect, escapeHtml, type Incoming, operation, Reply, type Service } from '../../base/http/index.ts'
import { type PageFile, pageFile, pageName } from './files.ts'

const dialect: Dialect = {
  render: ({ status, title, message }) =>
    `<!DOCTYPE html>\n<html lang="en"><head><title>${status} ${title}</title></head><body><h1>${title}</h1><p>${escapeHtml(message)}</p></body></html>\n`,
  wrongMethod: 405,
  overQuota: 403,
}

const fileHeaders = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' }

/** noVNC draws JPEG tiles and pointers by `data:` images, and touches styles by script alone. */
const pageHeaders = (frameAncestors: readonly string[]): Record<string, string> => {
  const isOwnOnly = frameAncestors.every((source) => source === "'self'")
  const ancestors = frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ')
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${ancestors}`,
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

export function consoleService(frameAncestors: readonly string[]): Service {
  const forPage = pageHeaders(frameAncestors)
  const common = { method: 'GET', status: 200, errors: [404], auth: 'none' } as const
  const revalidated = { 'cache-control': 'no-cache' }
  return {
    name: 'console',
    dialect,
    deps: undefined,
    operations: [
      ...['/vnc_lite.html', '/vnc.html', '/vnc_auto.html'].map((path) =>
        operation({ ...common, path, handle: (request) => answer(request, pageFile(pageName), forPage) }),
      ),
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

/** The page goes out under its own paths only, with its own headers. */
const assetName = ({ params }: Pick<Incoming, 'params'>): string => (params.file === pageName ? '' : (params.file ?? ''))
