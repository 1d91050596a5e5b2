import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mayConnect, screenPage, screenUrl, serialSocket, tokenUrl } from './addresses.ts'

const page = 'https://cloud.example:8443/console/vnc_lite.html'

test('the page is under the address that the caller used, or under the configured one', () => {
  expect(screenPage('vnc', 'http://127.0.0.1:8774', '')).toBe('http://127.0.0.1:8774/console/vnc_lite.html')
  expect(screenPage('vnc', 'http://127.0.0.1:8774', 'https://c.example/vnc_auto.html')).toBe('https://c.example/vnc_auto.html')
  expect(serialSocket('https://c.example', '')).toBe('wss://c.example/console/websockify')
  expect(tokenUrl('wss://c.example/console/websockify', 't')).toBe('wss://c.example/console/websockify?token=t')
})

test('the WebSocket is beside the page, and names survive the query', () => {
  const url = new URL(screenUrl(page, 'a-token', 'größer & <b>?'))
  expect(url.searchParams.get('path')).toBe('console/websockify?token=a-token')
  expect(url.searchParams.get('title')).toBe('größer & <b>?')
  expect(new URL(screenUrl('http://c.example:6080/vnc_auto.html', 't', 'x')).searchParams.get('path')).toBe('websockify?token=t')
})

test.each([
  ['no browser', undefined, [], true],
  ['the page itself', 'https://cloud.example:8443', [], true],
  ['another scheme', 'http://cloud.example:8443', [], false],
  ['another port', 'https://cloud.example', [], false],
  ['a longer name', 'https://cloud.example:8443.evil.test', [], false],
  ['a subdomain', 'https://x.cloud.example:8443', [], false],
  ['a sandboxed frame', 'null', [], false],
  ['nothing', '', [], false],
  ['the page with a path', 'https://cloud.example:8443/', [], false],
  ['an allowed host', 'https://horizon.example', ['horizon.example'], true],
  ['an allowed host, another scheme', 'http://horizon.example', ['horizon.example'], false],
  ['an allowed origin', 'http://horizon.example:81', ['http://horizon.example:81'], true],
  ['an allowed origin, another port', 'http://horizon.example', ['http://horizon.example:81'], false],
  ['credentials before an allowed host', 'https://horizon.example@evil.test', ['horizon.example'], false],
  ['an entry that is no origin', 'https://evil.test', ['://', '*'], false],
] as const)('origin: %s', (_, origin, allowed, expected) => {
  expect(mayConnect(origin, page, allowed)).toBe(expected)
})

test('of a serial console, whose URL is a WebSocket, the pages of its host may connect', () => {
  expect(mayConnect('http://c.example:8774', 'ws://c.example:8774/console/websockify', [])).toBe(true)
  expect(mayConnect('https://c.example', 'wss://c.example/console/websockify', [])).toBe(true)
  expect(mayConnect('http://c.example', 'wss://c.example/console/websockify', [])).toBe(false)
})

test('no other text than the own origin passes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => {
      fc.pre(text !== 'https://cloud.example:8443')
      expect(mayConnect(text, page, [])).toBe(false)
    }),
  )
})
