/**
 * The console page: a guest's screen by noVNC, and what surrounds it.
 *
 * The query says where the WebSocket is (`path`) and how the server is called (`title`). The socket is always on this page's own
 * host. When it ends, the server's words say why; when it never opened, the link was no longer good.
 */
import { byId, makeFrame, socketOfPath } from './frame.js'
import RFB from './novnc/core/rfb.js'

const query = new URLSearchParams(location.search)
const keys = { delete: 0xffff, enter: 0xff0d, tab: 0xff09, shift: 0xffe1 }
const pasteMax = 4096
/** A guest's keyboard holds few keys that were not read yet, and loses what comes faster. */
const keyPauseMs = 30
/** What an American keyboard, which QEMU takes a console to have, has only beside Shift. */
const needsShift = /[A-Z~!@#$%^&*()_+{}|:"<>?]/

/** @type {RFB | null} */
let rfb = null
const frame = makeFrame({
  controls: ['cad', 'paste', 'fit'],
  focus: () => rfb?.focus(),
  // noVNC lets go of the keys that the guest still holds when the window loses the focus.
  leave: () => window.dispatchEvent(new Event('blur')),
})

function connect() {
  const url = socketOfPath(query)
  if (!url) return frame.end('This is no console link.', 'It does not say which console to open.')
  const socket = new WebSocket(url, ['binary'])
  let wasConnected = false
  socket.addEventListener('close', ({ reason }) => frame.closed(wasConnected, reason))
  rfb = new RFB(byId('screen'), socket)
  rfb.background = 'transparent'
  rfb.scaleViewport = true
  rfb.addEventListener('connect', () => {
    wasConnected = true
    frame.connected()
  })
  rfb.addEventListener('desktopname', ({ detail }) => {
    if (frame.name === '') frame.name = detail.name
  })
  rfb.addEventListener('clipboard', ({ detail }) => {
    byId('text').value = detail.text.slice(0, pasteMax)
  })
  rfb.addEventListener('credentialsrequired', () => {
    socket.close()
    frame.end('The console asks for a password.', 'This page cannot open it.', { offersNew: false })
  })
}

/** A character's X11 keysym. */
function keysymOf(character) {
  if (character === '\n') return keys.enter
  if (character === '\t') return keys.tab
  const code = character.codePointAt(0)
  return code < 0x100 ? code : 0x01000000 + code
}

async function type(text) {
  for (const character of text.replaceAll('\r\n', '\n').slice(0, pasteMax)) {
    if (document.body.dataset.state !== 'connected') return
    const isShifted = needsShift.test(character)
    if (isShifted) rfb.sendKey(keys.shift, null, true)
    rfb.sendKey(keysymOf(character), null)
    if (isShifted) rfb.sendKey(keys.shift, null, false)
    await new Promise((resolve) => setTimeout(resolve, keyPauseMs))
  }
}

byId('cad').addEventListener('click', () => {
  rfb?.sendCtrlAltDel()
  rfb?.focus()
})

const dialog = byId('dialog')
byId('paste').addEventListener('click', () => {
  dialog.returnValue = 'cancel'
  dialog.showModal()
  byId('text').select()
})
dialog.addEventListener('close', () => {
  const text = byId('text').value
  if (dialog.returnValue === 'type') void type(text)
  if (dialog.returnValue === 'clipboard') rfb?.clipboardPasteFrom(text)
  rfb?.focus()
})

byId('fit').addEventListener('click', ({ currentTarget }) => {
  const isOn = currentTarget.getAttribute('aria-pressed') !== 'true'
  currentTarget.setAttribute('aria-pressed', String(isOn))
  if (!rfb) return
  rfb.scaleViewport = isOn
  rfb.focus()
})

frame.name = query.get('title')?.trim() ?? ''
connect()
