/**
 * The console page of a guest with SPICE: its screen by spice-html5, and what surrounds it.
 *
 * SPICE opens a WebSocket for each of screen, keys and pointer; the first one carries the session and ends it.
 */
import { byId, makeFrame, socketOfPath } from './frame.js'
import { SpiceMainConn, sendCtrlAltDel } from './spice/src/main.js'

const query = new URLSearchParams(location.search)
/** Which it sizes as it likes. */
const canvas = () => byId('surface').querySelector('canvas')
const frame = makeFrame({
  option: '--spice ',
  controls: ['cad'],
  focus: () => canvas()?.focus(),
  leave: () => canvas()?.blur(),
})

function connect() {
  const url = socketOfPath(query)
  if (!url) return frame.end('This is no console link.', 'It does not say which console to open.')
  let opened = false
  let wasConnected = false
  const main = new SpiceMainConn({
    uri: url.href,
    screen_id: 'surface',
    password: '',
    onsuccess: () => {
      wasConnected = true
      frame.connected()
    },
    onerror: () => {
      if (!wasConnected && opened)
        frame.end('This console does not speak SPICE.', 'Pretended guests show their screen by VNC alone.', { offersNew: false })
    },
  })
  main.ws.addEventListener('open', () => {
    opened = true
  })
  main.ws.addEventListener('close', ({ reason }) => {
    if (wasConnected || !opened) frame.closed(wasConnected, reason)
  })
  // Its keys go to what has this name.
  window.sc = main
}

// The guest's screen comes after the session.
new MutationObserver(() => canvas()?.focus()).observe(byId('surface'), { childList: true })
byId('cad').addEventListener('click', () => {
  sendCtrlAltDel()
  canvas()?.focus()
})

frame.name = query.get('title')?.trim() ?? ''
connect()
