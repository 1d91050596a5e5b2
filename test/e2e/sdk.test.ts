/** Real libraries against a real process: Python's OpenStack SDK and novaclient, at old and new microversions. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServeProcess, serve } from '../support/process.ts'

const python = '/usr/bin/python3'
const run = promisify(execFile)
const hasLibraries = existsSync('/usr/lib/python3/dist-packages/openstack') && existsSync('/usr/lib/python3/dist-packages/novaclient')
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

describe.skipIf(!hasLibraries && !process.env.CI)('client libraries', () => {
  let cloud: ServeProcess
  let env: Record<string, string>
  beforeAll(async () => {
    cloud = await serve({ driver: 'fake' })
    const [, password = ''] = /password: "?([^"\n]+)"?/.exec(readFileSync(cloud.ready.clouds_yaml, 'utf8')) ?? []
    env = {
      PATH: '/usr/bin:/bin',
      HOME: tmpdir(),
      LANG: 'C.UTF-8',
      PYTHONWARNINGS: 'ignore',
      OS_CLIENT_CONFIG_FILE: cloud.ready.clouds_yaml,
      OS_AUTH_URL: cloud.ready.auth_url,
      OS_USERNAME: 'admin',
      OS_PASSWORD: password,
      OS_PROJECT_NAME: 'admin',
      OS_USER_DOMAIN_ID: 'default',
      OS_PROJECT_DOMAIN_ID: 'default',
    }
  })
  afterAll(() => cloud?.[Symbol.asyncDispose]())

  it.each(['default', '2.50', '2.90', '2.104'])('openstacksdk at %s', async (version) => {
    const { stdout } = await run(python, [script('sdk-openstacksdk.py'), version], { env, timeout: 120_000 })
    expect(stdout).toContain('done')
  })

  it.each([
    ['2.1', '2.1'],
    ['2.50', '2.50'],
    ['2.latest', '2.9'],
  ])('novaclient at %s', async (version, speaks) => {
    const { stdout } = await run(python, [script('sdk-novaclient.py'), version], { env, timeout: 120_000 })
    expect(stdout).toContain(`speaks ${speaks}`)
    expect(stdout).toContain('done')
  })

  it('openstacksdk under /v2, and with calls that newer versions took away', async () => {
    const { stdout } = await run(python, [script('sdk-legacy.py'), `${cloud.ready.url}/compute`], { env, timeout: 120_000 })
    expect(stdout).toContain('done')
  })

  it.skipIf(!existsSync('/usr/bin/nova'))('the nova command', async () => {
    const { stdout } = await run('/usr/bin/nova', ['list'], { env, timeout: 60_000 })
    expect(stdout).toMatch(/\| ID \s*\| Name\s*\| Status/)
  })
})
