/**
 * Where a console is reached and from where it may be: the URL that a user opens, and the origins whose pages may connect.
 *
 * The page is told by its query where the WebSocket is (`path=console/websockify?token=…`), as noVNC's own page is, so clients that
 * take such a URL apart find the WebSocket too.
 */

const pages = { vnc: '/console/vnc_lite.html', spice: '/console/spice_auto.html' } as const
const socket = '/console/websockify'
const titleMax = 64

/** `base` is the operator's URL of the page, or empty. */
export const screenPage = (kind: keyof typeof pages, origin: string, base: string): string => base || origin + pages[kind]
export const serialSocket = (origin: string, base: string): string => base || origin.replace(/^http/, 'ws') + socket

/** The page finds the WebSocket beside itself. */
export function screenUrl(pageUrl: string, token: string, title: string): string {
  const url = new URL(pageUrl)
  const folder = url.pathname.slice(1, url.pathname.lastIndexOf('/') + 1)
  url.searchParams.set('path', `${folder}websockify?token=${token}`)
  url.searchParams.set('title', title.slice(0, titleMax))
  return url.href
}

/** A serial line is opened by its WebSocket's address, and so are consoles whose proxy somebody else runs. */
export function tokenUrl(socketUrl: string, token: string): string {
  const url = new URL(socketUrl)
  url.searchParams.set('token', token)
  return url.href
}

/**
 * Whether a page of this origin may connect to a console whose page is at `accessUrl`. No origin at all is no browser, which
 * this protects. An `allowed` host name stands for its origins of the page's own scheme.
 */
export function mayConnect(origin: string | undefined, accessUrl: string, allowed: readonly string[]): boolean {
  if (origin === undefined) return true
  const own = new URL(accessUrl.replace(/^ws/, 'http'))
  if (origin === own.origin) return true
  if (!URL.canParse(origin)) return false
  const given = new URL(origin)
  // What a browser sends is an origin and nothing more.
  if (given.origin !== origin) return false
  return allowed.some((entry) =>
    entry.includes('://')
      ? URL.canParse(entry) && new URL(entry).origin === origin
      : given.hostname === entry && given.protocol === own.protocol,
  )
}
