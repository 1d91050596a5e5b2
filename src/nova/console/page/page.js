/**
 * The console page: a guest's screen by noVNC, and what surrounds it.
 *
 * The query says where the WebSocket is (`path`) and how the server is called (`title`). The socket is always on this page's own
 * host. When it ends, the server's words say why; when it never opened, the link was no longer good.
 */
import RFB from './novnc/core/rfb.js'

const byId = (id) => document.getElementById(id)
const query = new URLSearchParams(location.search)
const keys = { delete: 0xffff, enter: 0xff0d, tab: 0xff09, shift: 0xffe1 }
const pasteMax = 4096
/** A guest's keyboard holds few keys that were not read yet, and loses what comes faster. */
const keyPauseMs = 30
/** What an American keyboard, which QEMU takes a console to have, has only beside Shift. */
const needsShift = /[A-Z~!@#$%^&*()_+{}|:"<>?]/

let name = query.get('title')?.trim() ?? ''
/** @type {RFB | null} */
let rfb = null

function showName() {
  byId('name').textContent = name || 'Console'
  document.title = name ? `${name} – console` : 'Console'
}

function show(state, word) {
  document.body.dataset.state = state
  byId('state').textContent = word
  for (const id of ['cad', 'paste', 'fit']) byId(id).disabled = state !== 'connected'
  byId('screen').tabIndex = state === 'connected' ? 0 : -1
}

/** A name that a shell would take apart stands in quotes. */
const shellWord = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

function end(headline, detail, { offersNew = true } = {}) {
  show('ended', 'Disconnected')
  byId('headline').textContent = headline
  byId('detail').textContent = detail
  byId('command').textContent = `openstack console url show ${name ? shellWord(name) : '<server>'}`
  for (const id of ['advice', 'command']) byId(id).hidden = !offersNew
  if (byId('dialog').open) byId('dialog').close()
}

const endings = {
  'guest stopped': ['The guest stopped.', 'Once it runs again, its console needs a new link.'],
  'guest suspended': ['The guest was suspended.', 'Once it is resumed, its console needs a new link.'],
  'session timeout': ['The session has reached its time limit.', 'The console needs a new link.'],
  'going away': ['The cloud is restarting.', 'Once it is back, the console needs a new link.'],
  'console closed': ['The guest closed its console.', 'The console needs a new link.'],
}

function ended(wasConnected, reason) {
  if (!wasConnected)
    return end('This console link has been used or has expired.', 'A link opens a console once, and only while its guest runs.')
  const [headline, detail] = endings[reason] ?? ['The connection was lost.', 'The console needs a new link.']
  end(headline, detail)
}

/** The socket's address, or null when the query names none on this host. */
function socketUrl() {
  const path = query.get('path')
  if (path === null) return null
  const url = new URL(`/${path.replace(/^\/+/, '')}`, location.origin)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.host === location.host ? url : null
}

function connect() {
  const url = socketUrl()
  if (!url) return end('This is no console link.', 'It does not say which console to open.')
  const socket = new WebSocket(url, ['binary'])
  let wasConnected = false
  socket.addEventListener('close', ({ reason }) => ended(wasConnected, reason))
  rfb = new RFB(byId('screen'), socket)
  rfb.background = 'transparent'
  rfb.scaleViewport = true
  rfb.addEventListener('connect', () => {
    wasConnected = true
    // The token is used up: it need not stay in the address bar or the history.
    history.replaceState(null, '', `${location.pathname}?${new URLSearchParams({ title: name })}`)
    show('connected', 'Connected')
    rfb.focus()
  })
  rfb.addEventListener('desktopname', ({ detail }) => {
    if (name === '') name = detail.name
    showName()
  })
  rfb.addEventListener('clipboard', ({ detail }) => {
    byId('text').value = detail.text.slice(0, pasteMax)
  })
  rfb.addEventListener('credentialsrequired', () => {
    socket.close()
    end('The console asks for a password.', 'This page cannot open it.', { offersNew: false })
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

byId('full').addEventListener('click', async () => {
  if (document.fullscreenElement) await document.exitFullscreen()
  else await document.documentElement.requestFullscreen()
  rfb?.focus()
})
document.addEventListener('fullscreenchange', () => byId('full').setAttribute('aria-pressed', String(document.fullscreenElement !== null)))

// The screen takes every key, Tab too; these three bring the focus back.
window.addEventListener(
  'keydown',
  (event) => {
    if (!(event.ctrlKey && event.altKey && event.code === 'KeyM')) return
    event.preventDefault()
    event.stopImmediatePropagation()
    // noVNC lets go of the keys that the guest still holds when the window loses the focus.
    window.dispatchEvent(new Event('blur'))
    byId('cad').focus()
  },
  { capture: true },
)

// noVNC's canvas is in no tab order; the place that it is in stands for it.
byId('screen').addEventListener('focus', () => rfb?.focus())
showName()
connect()
