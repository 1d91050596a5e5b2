/**
 * The way of a newcomer to a guest: `openstack console url show`, the page in a browser, the guest's own screen, and keys
 * that arrive in the guest.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { hasOpenstack, type ServeProcess } from '../support/process.ts'
import { makeRealHost, type RealHost, realHostMissing } from '../support/real-host.ts'
import { Session } from '../support/session.ts'
import { until } from '../support/until.ts'

const chromiumPath = '/usr/bin/chromium'
const missing = realHostMissing() ?? (hasOpenstack ? null : 'no openstack client') ?? (existsSync(chromiumPath) ? null : 'no chromium')
const artifacts = new URL('../../artifacts/', import.meta.url).pathname
const switches =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

/** How many different colours the screen shows, and a sum that changes with it. */
const look = `{
  const canvas = document.querySelector('#screen canvas')
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)
  const out = { width: canvas.width, height: canvas.height, colours: new Set(pixels).size, lit: 0, sum: 0 }
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] !== 0xff000000) out.lit++
    out.sum = (out.sum * 31 + pixels[i]) >>> 0
  }
  out
}`
/** On the American keyboard, which QEMU takes a console to have. */
const needsShift = /[A-Z~!@#$%^&*()_+{}|:"<>?]/
type Look = { width: number; height: number; colours: number; lit: number; sum: number }

describe.skipIf(missing !== null && process.env.CI !== 'true')(`a guest in the browser${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-screen-'))
  let host: RealHost
  let cloud: ServeProcess
  let session: Session
  let browser: BrowserContext
  let id: string

  beforeAll(async () => {
    mkdirSync(artifacts, { recursive: true })
    host = await makeRealHost(join(dir, 'libvirt'))
    const env = { MINICLOUD_SERIAL_CONSOLE_ENABLED: 'true', MINICLOUD_SPICE_ENABLED: 'true' }
    cloud = await host.serve({ dataDir: join(dir, 'data'), env })
    session = await Session.login(cloud)
    id = await session.create({ name: 'web1' })
    browser = await chromium.launchPersistentContext(join(dir, 'profile'), {
      executablePath: chromiumPath,
      args: switches.split(' '),
      viewport: { width: 1180, height: 760 },
    })
    await session.becomes(id, 'ACTIVE')
    await session.says(id, 'web1 login:')
  })
  afterAll(async () => {
    await browser?.close()
    await session?.deleteAll().catch(() => undefined)
    await cloud?.stop()
    await host?.[Symbol.asyncDispose]()
    await removeLibvirtdDir(dir)
    rmSync(dir, { recursive: true, force: true })
  })

  const state = (page: Page, wanted: string) => page.waitForSelector(`body[data-state=${wanted}]`)
  const seen = (page: Page) => page.evaluate(look) as Promise<Look>
  async function type(page: Page, line: string): Promise<void> {
    const before = await seen(page)
    for (const letter of line) await page.keyboard.press(needsShift.test(letter) ? `Shift+${letter}` : letter, { delay: 10 })
    await page.keyboard.press('Enter')
    await until('the screen to change', async () => (await seen(page)).sum !== before.sum, 20_000)
  }

  /** Two looks, so far apart, see the same. */
  const rest = (page: Page, apartMs = 1500) =>
    until('the screen to rest', async () => {
      const { sum } = await seen(page)
      await new Promise((resolve) => setTimeout(resolve, apartMs))
      return (await seen(page)).sum === sum
    })

  const complaints: string[] = []
  async function open(...kind: string[]): Promise<Page> {
    const { url } = await cloud.json('console', 'url', 'show', ...kind, 'web1')
    const page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url.replace(/^ws/, 'http'))
    await state(page, 'connected')
    return page
  }

  /** The serial line, at which somebody logs in. */
  async function serial(): Promise<Page> {
    const page = await open('--serial')
    const shows = (what: string) =>
      until(`the terminal to show ${what}`, async () =>
        ((await page.locator('.xterm-rows').textContent()) ?? '').replaceAll('\u00a0', ' ').includes(what),
      )
    await page.keyboard.press('Enter')
    await shows('web1 login:')
    await page.keyboard.type('root\n')
    await shows('Password:')
    await page.keyboard.type('tiny\n')
    await shows('root@web1:~#')
    await page.click('#size')
    await page.keyboard.type('clear; stty size; uname -srm; ls --color=always /\n')
    await shows(' x86_64')
    await shows('etc')
    await page.screenshot({ path: join(artifacts, 'console-serial-guest.png') })
    return page
  }

  /** The same screen by SPICE, which takes keys too. */
  async function spiced(): Promise<Page> {
    const page = await open('--spice')
    expect(page.url()).not.toContain('token')
    await until('letters on the screen', async () => {
      const now = (await page.locator('#screen canvas').count()) === 0 ? null : await seen(page)
      return now && now.lit > 1000 ? now : null
    })
    await page.click('#screen canvas')
    await type(page, 'echo "typed by spice: $(hostname)" > /dev/ttyS0')
    await session.says(id, 'typed by spice: web1', 30_000)
    await page.screenshot({ path: join(artifacts, 'console-spice-guest.png') })
    return page
  }

  it('shows its screen, takes keys, and says when the guest stops', async () => {
    const { url } = await cloud.json('console', 'url', 'show', '--novnc', 'web1')
    expect(url).toMatch(new RegExp(`^${session.url}/`))
    const page = await browser.newPage()
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    await state(page, 'connected')
    expect(await page.textContent('#name')).toBe('web1')
    const first = await until('letters on the screen', async () => {
      const now = await seen(page)
      return now.lit > 1000 && now.colours > 1 ? now : null
    })
    expect(first.width).toBeGreaterThanOrEqual(640)

    await page.click('#screen canvas')
    await page.keyboard.press('Enter')
    await type(page, 'root')
    await rest(page)
    await type(page, 'tiny')
    await type(page, 'echo "typed in the browser: $(hostname)" > /dev/ttyS0')
    await session.says(id, 'typed in the browser: web1', 30_000)
    await page.click('#paste')
    await page.fill('#text', 'echo "Pasted (as {typed}): $(hostname) & <more>_~?!" > /dev/ttyS0\n')
    await page.click('button[value=type]')
    await session.says(id, 'Pasted (as {typed}): web1 & <more>_~?!', 30_000)
    const long = 'Long Text, '.repeat(40)
    await page.click('#paste')
    await page.fill('#text', `echo "${long}" | md5sum > /dev/ttyS0\n`)
    await page.click('button[value=type]')
    await session.says(id, createHash('md5').update(`${long}\n`).digest('hex'), 60_000)
    for (const line of ['clear', 'uname -srm', 'cat /run/tiny/log', 'ip route', 'ping -c 1 10.20.0.1', 'df -h /data']) {
      await type(page, line)
      await rest(page, 300)
    }
    await page.screenshot({ path: join(artifacts, 'console.png') })

    const again = await browser.newPage()
    await again.goto(url)
    await state(again, 'ended')
    expect(await again.textContent('#headline')).toBe('This console link has been used or has expired.')
    await again.close()

    const line = await serial()
    const spice = await spiced()
    await session.action(id, 'os-stop')
    for (const each of [line, spice]) {
      await state(each, 'ended')
      expect(await each.textContent('#headline')).toBe('The guest stopped.')
    }
    await state(page, 'ended')
    expect(await page.textContent('#headline')).toBe('The guest stopped.')
    await page.screenshot({ path: join(artifacts, 'console-ended.png') })
    expect(complaints).toEqual([])
  })
})
