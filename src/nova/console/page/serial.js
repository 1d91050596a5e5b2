/**
 * The page of a serial line: a terminal by xterm.js, and what surrounds it.
 *
 * It is under the very address of its WebSocket, token and all. The line carries bytes and nothing else: no size of the window, and
 * nothing of what was said before. What is typed goes out as UTF-8.
 */
import { byId, makeFrame } from './frame.js'
import { Terminal } from './xterm/lib/xterm.mjs'
import { FitAddon } from './xterm-fit/lib/addon-fit.mjs'

const css = getComputedStyle(document.documentElement)
const colour = (name) => css.getPropertyValue(name).trim()
const terminal = new Terminal({
  cursorBlink: true,
  fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSize: 14,
  scrollback: 10_000,
  theme: {
    background: colour('--ground'),
    foreground: colour('--text'),
    cursor: colour('--accent'),
    selectionBackground: '#33466b',
    red: colour('--bad'),
    green: colour('--good'),
    yellow: colour('--wait'),
    blue: colour('--accent'),
  },
})
const fit = new FitAddon()
/** @type {WebSocket | null} */
let socket = null
const encoder = new TextEncoder()

const frame = makeFrame({
  option: '--serial ',
  controls: ['size', 'copy', 'clear'],
  focus: () => terminal.focus(),
  leave: () => terminal.blur(),
  onResized: () => fit.fit(),
})

const send = (bytes) => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(bytes)
}

function connect() {
  const url = new URL(location.href)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  if (!url.searchParams.get('token')) return frame.closed(false)
  socket = new WebSocket(url, ['binary'])
  socket.binaryType = 'arraybuffer'
  let wasConnected = false
  socket.addEventListener('open', () => {
    wasConnected = true
    frame.connected()
  })
  socket.addEventListener('message', ({ data }) => terminal.write(new Uint8Array(data)))
  socket.addEventListener('close', ({ reason }) => {
    frame.closed(wasConnected, reason)
    terminal.options.cursorBlink = false
  })
}

terminal.loadAddon(fit)
terminal.open(byId('screen'))
fit.fit()
new ResizeObserver(() => fit.fit()).observe(byId('screen'))
terminal.onData((text) => send(encoder.encode(text)))
terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))))

byId('size').addEventListener('click', () => {
  send(encoder.encode(`stty rows ${terminal.rows} cols ${terminal.cols}\r`))
  terminal.focus()
})
byId('copy').addEventListener('click', async () => {
  const hadSelection = terminal.hasSelection()
  if (!hadSelection) terminal.selectAll()
  await navigator.clipboard?.writeText(terminal.getSelection().trimEnd()).catch(() => undefined)
  if (!hadSelection) terminal.clearSelection()
  terminal.focus()
})
byId('clear').addEventListener('click', () => {
  terminal.clear()
  terminal.focus()
})

frame.name = document.body.dataset.name
connect()
