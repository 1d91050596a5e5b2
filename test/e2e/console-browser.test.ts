/** The console page in a real browser: what it shows, what it sends, and how it can be used by keyboard alone. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ConsoleCloud, startConsoleCloud } from '../support/console-cloud.ts'
import { until } from '../support/until.ts'

const chromiumPath = '/usr/bin/chromium'
const isMissing = !existsSync(chromiumPath) && process.env.CI !== 'true'
const artifacts = new URL('../../artifacts/', import.meta.url).pathname
const switches =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

describe.skipIf(isMissing)('the console page', () => {
  let room: ConsoleCloud
  let browser: BrowserContext
  let profile: string
  const complaints: string[] = []

  beforeAll(async () => {
    mkdirSync(artifacts, { recursive: true })
    profile = mkdtempSync(join(tmpdir(), 'minicloud-chromium-'))
    room = await startConsoleCloud({ flags: { 'serial_console.enabled': 'true', 'spice.enabled': 'true' } })
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumPath,
      args: switches.split(' '),
      viewport: { width: 1180, height: 760 },
    })
  })
  afterAll(async () => {
    await browser?.close()
    await room?.[Symbol.asyncDispose]()
    rmSync(profile, { recursive: true, force: true })
  })

  const shot = (page: Page, name: string) => page.screenshot({ path: join(artifacts, `console-${name}.png`) })
  const state = (page: Page, wanted: string) => page.waitForSelector(`body[data-state=${wanted}]`)
  const said = async (id: string) => await room.driver.consoleOutput(id, 6)
  const focused = (page: Page) => page.evaluate('document.activeElement?.id || document.activeElement?.tagName')

  async function open(id: string, url?: string): Promise<Page> {
    const page = await browser.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url ?? (await room.url(id)))
    await state(page, 'connected')
    return page
  }

  test("shows the guest's screen under the server's name, types, pastes and says when the guest stops", async () => {
    const id = await room.boot('web-1')
    const page = await open(id)
    expect(await page.textContent('#name')).toBe('web-1')
    expect(await page.title()).toBe('web-1 – console')
    expect(page.url()).not.toContain('token')
    expect(await focused(page)).toBe('CANVAS')

    const colours = () =>
      page.evaluate(`{
        const canvas = document.querySelector('#screen canvas')
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        new Set(new Uint32Array(data.buffer)).size
      }`) as Promise<number>
    await until('a picture of more than one colour', async () => (await colours()) > 1)

    await page.keyboard.type('root')
    await page.keyboard.press('Enter')
    await until('the typed line', async () => (await said(id)).includes('login: root\n'))
    await shot(page, 'connected')

    await page.keyboard.press('Control+Alt+m')
    expect(await focused(page)).toBe('cad')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('paste')
    await page.keyboard.press('Enter')
    await page.keyboard.type('uname -a')
    await shot(page, 'paste')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await until('the pasted text', async () => (await said(id)).includes('$ uname -a'))
    expect(await focused(page)).toBe('CANVAS')

    await page.keyboard.press('Control+Alt+m')
    for (let i = 0; i < 4; i++) await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('CANVAS')

    room.driver.happen(id, 'shutdown')
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('The guest stopped.')
    expect(await page.textContent('#command')).toBe('openstack console url show web-1')
    expect(await page.isDisabled('#cad')).toBe(true)
    await shot(page, 'stopped')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('a serial line is a terminal under the address of its WebSocket', async () => {
    const id = await room.boot("line's")
    const url = (await room.url(id, 'serial', 'serial')).replace(/^ws/, 'http')
    const page = await open(id, url)
    expect(await page.textContent('#name')).toBe("line's")
    expect(page.url()).toBe(`${room.origin}/console/websockify?title=line%27s`)
    const text = () =>
      page
        .locator('.xterm-rows')
        .textContent()
        .then((found) => (found ?? '').replaceAll('\u00a0', ' '))
    await until('what the guest says', async () => (await text()).includes('login:'))
    expect(await focused(page)).toBe('TEXTAREA')
    await page.keyboard.type('root')
    await page.keyboard.press('Enter')
    await until('the typed line', async () => (await said(id)).includes('login: root\n'))
    await until('its echo', async () => (await text()).includes('root'))
    await page.keyboard.type('echo "<b>no markup</b>"')
    await until('markup as text', async () => (await text()).includes('<b>no markup</b>'))
    await page.click('#size')
    await until('the size', async () => /stty rows \d+ cols \d+/.test(await said(id)))
    await shot(page, 'serial')

    await page.keyboard.press('Control+Alt+m')
    expect(await focused(page)).toBe('size')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('copy')
    await page.click('#clear')
    await until('a clear window', async () => !(await text()).includes('login:'))

    room.driver.happen(id, 'shutdown')
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('The guest stopped.')
    expect(await page.textContent('#command')).toBe(`openstack console url show --serial 'line'\\''s'`)
    expect(complaints).toEqual([])
    await page.goto(url)
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('This console link has been used or has expired.')
    complaints.length = 0
    await page.setViewportSize({ width: 420, height: 700 })
    await shot(page, 'serial-used')
    await page.close()
  })

  test('a screen that does not speak SPICE is not waited for', async () => {
    const page = await browser.newPage()
    await page.goto(await room.url(await room.boot('unspiced'), 'spice', 'spice-html5'))
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('This console does not speak SPICE.')
    await page.close()
  })

  test('fits the screen to the window, or not', async () => {
    const page = await open(await room.boot('sizes'))
    const width = async () => (await page.locator('#screen canvas').boundingBox())?.width ?? 0
    await until('the screen to fill the window', async () => (await width()) > 1000)
    await page.click('#fit')
    expect(await page.getAttribute('#fit', 'aria-pressed')).toBe('false')
    await until('the screen in its own size', async () => (await width()) === 640)
    await page.close()
  })

  test('a link that was used says so', async () => {
    const url = await room.url(await room.boot('spent'))
    const page = await browser.newPage()
    await page.goto(url)
    await state(page, 'connected')
    await page.goto(url)
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('This console link has been used or has expired.')
    await page.setViewportSize({ width: 420, height: 700 })
    await shot(page, 'used')
    await page.goto(`${room.origin}/console/vnc_lite.html?path=//evil.test/websockify`)
    await state(page, 'ended')
    await page.close()
  })

  test('all controls have names, and a name with signs stays text and one shell word', async () => {
    const id = await room.boot('<b>it\'s & "big"</b>')
    const page = await open(id)
    expect(await page.textContent('#name')).toBe('<b>it\'s & "big"</b>')
    for (const name of ['Send Ctrl Alt Delete', 'Paste', 'Fit', 'Full screen'])
      expect(await page.getByRole('button', { name }).count()).toBe(1)
    await page.setViewportSize({ width: 420, height: 700 })
    for (const name of ['Paste', 'Fit', 'Full screen']) expect(await page.getByRole('button', { name }).count()).toBe(1)
    await room.driver.powerOff(id, 0)
    await state(page, 'ended')
    expect(await page.textContent('#command')).toBe(`openstack console url show '<b>it'\\''s & "big"</b>'`)
    await page.close()
  })
})
