import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CommandFailed } from '../errors.ts'
import { inside, run, runForServer, runList } from './run.ts'

const node = process.execPath

describe('programs of the host', () => {
  it('give what they print, and read what they are given', async () => {
    expect(await run(['cat'], { stdin: 'one\ntwo' })).toBe('one\ntwo')
  })

  it('say in their own words what went wrong', async () => {
    await expect(run([node, '-e', 'console.error("no luck"); process.exit(3)'])).rejects.toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('no luck'),
    })
    await expect(run(['no-such-program-anywhere'])).rejects.toMatchObject({ stderr: 'no such program', exitCode: null })
  })

  it('list anew what changed while it was listed', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'minicloud-list-')), 'asked')
    const code = `const fs = require('node:fs'); fs.appendFileSync('${file}', '.'); const n = fs.readFileSync('${file}').length
      if (n < 3) console.error('Dump was interrupted and may be inconsistent.'); console.log(n)`
    expect(await runList([node, '-e', code])).toBe('3\n')
    rmSync(dirname(file), { recursive: true })
    await expect(runList(['sh', '-c', 'echo Dump was interrupted >&2'])).rejects.toThrow(/changes all the time/)
  })

  it('are ended at their deadline', async () => {
    await expect(run([node, '-e', 'setInterval(() => {}, 1000)'], { deadlineMs: 50 })).rejects.toMatchObject({ stderr: 'took too long' })
    await expect(runForServer([node, '-e', 'setInterval(() => {}, 1000)'], 50)).rejects.toMatchObject({ stderr: 'took too long' })
  })

  it('are not put through a shell', async () => {
    expect(await run(['echo', '$(id); `id` | x'])).toBe('$(id); `id` | x\n')
    expect(inside('a b', ['x'])).toEqual(['nsenter', '--net=/run/netns/a b', '--', 'x'])
    expect(inside(null, ['x'])).toEqual(['x'])
  })

  it('hand over a listening socket, or say why not', async () => {
    const code = 'const s = require("net").createServer().listen(0, "127.0.0.1", () => process.send({}, s, {}, () => process.exit(0)))'
    const server = await runForServer([node, '-e', code])
    expect(server.address()).toMatchObject({ address: '127.0.0.1' })
    server.close()
    await expect(runForServer([node, '-e', 'console.error("port taken"); process.exit(1)'])).rejects.toThrow(CommandFailed)
    await expect(runForServer([node, '-e', 'console.error("port taken"); process.exit(1)'])).rejects.toThrow(/port taken/)
  })
})
