import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeLog, silentLog } from './log.ts'

const inChild = (script: string) =>
  spawn(
    process.execPath,
    ['--input-type=module', '-e', `const { makeLog } = await import(${JSON.stringify(join(import.meta.dirname, 'log.ts'))})\n${script}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )

describe('the log', () => {
  it('cuts secrets out by name', () => {
    const lines: string[] = []
    const log = makeLog({ stream: { write: (line: string) => void lines.push(line) } })
    log.info({ password: 'hunter2', server: { adminPass: 'hunter2', deep: { token: 'hunter2' } }, name: 'seen' }, 'said')
    log.child({ 'x-auth-token': 'hunter2' }).info('said')
    log.info({ headers: { 'X-Auth-Token': 'hunter2' }, list: [{ secret: 'hunter2' }] }, 'said')
    const request = { password: 'hunter2', kept: 1 }
    log.error({ request, err: Object.assign(new Error('boom'), { token: 'hunter2' }) }, 'said')
    expect(request.password).toBe('hunter2')
    expect(JSON.parse(lines[3] ?? '')).toMatchObject({ request: { kept: 1 }, err: { message: 'boom', token: '***' } })
    expect(lines).toHaveLength(4)
    expect(lines.join('')).not.toContain('hunter2')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ name: 'seen', msg: 'said', password: '***' })
  })

  it('says nothing when silent', () => {
    expect(silentLog().isLevelEnabled('fatal')).toBe(false)
  })

  it('loses no line at exit', async () => {
    const child = inChild(`const log = makeLog()
      for (let i = 0; i < 3000; i += 1) log.info({ i, pad: 'x'.repeat(100) }, 'line')
      process.exit(3)`)
    let text = ''
    child.stderr.on('data', (data) => {
      text += data
    })
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(3)
    const lines = text.trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(Array.from({ length: 3000 }, (_, i) => i))
  })

  it('says a single line soon', async () => {
    const child = inChild(`const log = makeLog()
      log.info('alone')
      setInterval(() => {}, 1000)`)
    const [line] = (await once(child.stderr, 'data')) as [Buffer]
    expect(JSON.parse(line.toString())).toMatchObject({ msg: 'alone' })
    child.kill('SIGKILL')
    await once(child, 'close')
  })

  it('survives a reader that goes away', async () => {
    const child = inChild(`const log = makeLog()
      log.info('first')
      let i = 0
      const more = setInterval(() => {
        log.info({ pad: 'x'.repeat(10_000) }, 'line')
        if (++i === 50) { clearInterval(more); console.log('alive'); process.exit(0) }
      }, 1)`)
    await once(child.stderr, 'data')
    child.stderr.destroy()
    let out = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    const [code] = (await once(child, 'close')) as [number]
    expect([out.trim(), code]).toEqual(['alive', 0])
  })
})
