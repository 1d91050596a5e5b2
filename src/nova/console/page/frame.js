/** What surrounds a console on every page: the server's name, the state, what is said when it ends, full screen, and the keys that leave it. */
export const byId = (id) => document.getElementById(id)

const endings = {
  'guest stopped': ['The guest stopped.', 'Once it runs again, its console needs a new link.'],
  'guest suspended': ['The guest was suspended.', 'Once it is resumed, its console needs a new link.'],
  'session timeout': ['The session has reached its time limit.', 'The console needs a new link.'],
  'going away': ['The cloud is restarting.', 'Once it is back, the console needs a new link.'],
  'console closed': ['The guest closed its console.', 'The console needs a new link.'],
}

/** A name that a shell would take apart stands in quotes. */
const shellWord = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

/**
 * @param option of `openstack console url show`, for another link of this kind
 * @param controls ids of what works only while the console is open
 * @param onResized when the window is full screen, or no longer
 */
export function makeFrame({ option = '', controls, focus, leave, onResized = () => undefined }) {
  let name = ''
  const screen = byId('screen')

  function show(state, word) {
    document.body.dataset.state = state
    byId('state').textContent = word
    for (const id of controls) byId(id).disabled = state !== 'connected'
    screen.tabIndex = state === 'connected' ? 0 : -1
  }

  function end(headline, detail, { offersNew = true } = {}) {
    show('ended', 'Disconnected')
    byId('headline').textContent = headline
    byId('detail').textContent = detail
    byId('command').textContent = `openstack console url show ${option}${name ? shellWord(name) : '<server>'}`
    for (const id of ['advice', 'command']) byId(id).hidden = !offersNew
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close()
  }

  byId('full').addEventListener('click', async () => {
    if (document.fullscreenElement) await document.exitFullscreen()
    else await document.documentElement.requestFullscreen()
    focus()
  })
  document.addEventListener('fullscreenchange', () => {
    byId('full').setAttribute('aria-pressed', String(document.fullscreenElement !== null))
    onResized()
  })

  // The console takes every key, Tab too; these three bring the focus back.
  window.addEventListener(
    'keydown',
    (event) => {
      if (!(event.ctrlKey && event.altKey && event.code === 'KeyM')) return
      event.preventDefault()
      event.stopImmediatePropagation()
      leave()
      byId(controls[0]).focus()
    },
    { capture: true },
  )
  // What a console draws is in no tab order; the place that it is in stands for it.
  screen.addEventListener('focus', () => focus())

  return {
    end,
    get name() {
      return name
    },
    set name(text) {
      name = text
      byId('name').textContent = name || 'Console'
      document.title = name ? `${name} – console` : 'Console'
    },
    connected() {
      // The token is used up: it need not stay in the address bar or the history.
      history.replaceState(null, '', `${location.pathname}?${new URLSearchParams({ title: name })}`)
      show('connected', 'Connected')
      focus()
    },
    /** By the WebSocket's words; when it never opened, the link was no longer good. */
    closed(wasConnected, reason) {
      if (!wasConnected)
        return end('This console link has been used or has expired.', 'A link opens a console once, and only while its guest runs.')
      const [headline, detail] = endings[reason] ?? ['The connection was lost.', 'The console needs a new link.']
      end(headline, detail)
    },
  }
}

/** The WebSocket that the query's `path` names, which is on this page's own host; null when it names none. */
export function socketOfPath(query) {
  const path = query.get('path')
  if (path === null) return null
  const url = new URL(`/${path.replace(/^\/+/, '')}`, location.origin)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.host === location.host ? url : null
}
