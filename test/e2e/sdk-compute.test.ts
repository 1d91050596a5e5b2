/** Every method that Python's OpenStack SDK has for Compute, on two pretended hosts. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { serve } from '../support/process.ts'

const run = promisify(execFile)
const hasLibrary = existsSync('/usr/lib/python3/dist-packages/openstack')
const script = fileURLToPath(new URL('sdk-compute.py', import.meta.url))

describe.skipIf(!hasLibrary && !process.env.CI)('openstacksdk', () => {
  it.each(['default', '2.50', '2.104'])('at %s has no method for Compute that does not do', async (version) => {
    const hosts = { MINICLOUD_FAKE_HOSTS: '2', MINICLOUD_COMPUTE_HOST: 'host1', MINICLOUD_FAKE_LIVE_MIGRATION_DELAY_MS: '10000' }
    await using cloud = await serve({ driver: 'fake', env: hosts })
    const env = { PATH: '/usr/bin:/bin', HOME: tmpdir(), LANG: 'C.UTF-8', OS_CLIENT_CONFIG_FILE: cloud.ready.clouds_yaml }
    const { stdout } = await run('/usr/bin/python3', [script, version], { env, timeout: 60_000 })
    expect(stdout).toContain('done')
  })
})
