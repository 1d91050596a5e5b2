/** What `npm run build` makes works without the checkout: the single executable, and the package under the machine's Node.js. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { removeLibvirtdDir } from '../support/libvirtd.ts'
import { hasOpenstack, serve } from '../support/process.ts'
import { makeRealHost, realHostMissing } from '../support/real-host.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
let dist: string

beforeAll(async () => {
  dist = mkdtempSync(join(tmpdir(), 'minicloud-dist-'))
  await run(process.execPath, [join(root, 'scripts/build.ts'), dist], { timeout: 120_000 })
})

afterAll(() => rmSync(dist, { recursive: true, force: true }))

test.skipIf(!hasOpenstack)('the executable runs a cloud that the openstack client can use', async () => {
  await using cloud = await serve({ command: [join(dist, 'minicloud')] })
  expect(await cloud.json('token', 'issue')).toHaveProperty('project_id')
  await cloud.openstack('server', 'create', '--flavor', 'm1.nano', '--image', 'tiny', '--network', 'private', '--wait', 'one')
  expect(await cloud.json('server', 'list')).toMatchObject([{ Name: 'one', Status: 'ACTIVE' }])
  await cloud.openstack('server', 'delete', '--wait', 'one')
  expect(await cloud.json('server', 'list')).toEqual([])
  expect(await cloud.stop()).toBe(0)
})

test('the executable has its pages inside, and prints what a shell needs', async () => {
  const program = join(dist, 'minicloud')
  await using cloud = await serve({ command: [program] })
  const page = await fetch(`${cloud.ready.url}/console/vnc_lite.html`)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('<html')
  const { stdout } = await run(program, ['env', '--data-dir', cloud.dataDir])
  expect(stdout).toBe(`export OS_CLIENT_CONFIG_FILE=${cloud.ready.clouds_yaml}\nexport OS_CLOUD=minicloud\n`)
  expect(statSync(cloud.ready.clouds_yaml).mode & 0o777).toBe(0o600)
  for (const [name, args] of [
    ['nova-manage', ['cell_v2', 'list_cells']],
    ['nova-status', ['upgrade', 'check']],
  ] as const) {
    symlinkSync(program, join(dist, name))
    expect((await run(join(dist, name), [...args, '--data-dir', cloud.dataDir])).stdout).toMatch(/^\+--/)
  }
})

test('the package runs a cloud from its own files', async () => {
  const manifest = JSON.parse(readFileSync(join(dist, 'npm/package.json'), 'utf8')) as { dependencies: Record<string, string> }
  for (const name of Object.keys(manifest.dependencies).filter((one) => one !== '@novnc/novnc'))
    symlinkSync(join(root, 'node_modules', name), join(dist, 'npm/node_modules', name))
  await using cloud = await serve({ command: [process.execPath, join(dist, 'npm/lib/bundle/main.js')] })
  expect(await (await fetch(`${cloud.ready.url}/readyz`)).text()).toBe('ready\n')
  expect((await fetch(`${cloud.ready.url}/console/vnc_lite.html`)).status).toBe(200)
})

test.skipIf((realHostMissing() !== null || !hasOpenstack) && !process.env.CI)(
  'the executable gives a real guest its metadata',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'minicloud-exe-'))
    try {
      await using host = await makeRealHost(join(dir, 'libvirt'))
      await using cloud = await host.serve({ dataDir: join(dir, 'data'), command: [join(dist, 'minicloud')] })
      await cloud.openstack('server', 'create', '--flavor', 'm1.nano', '--image', 'tiny', '--network', 'private', '--wait', 'one')
      const says = async () => (await cloud.openstack('console', 'log', 'show', 'one')).includes('tiny: metadata from http://169')
      expect(await until('the guest to read its metadata', says, 120_000)).toBe(true)
      await cloud.openstack('server', 'delete', '--wait', 'one')
      expect(host.domains()).toEqual([])
    } finally {
      await removeLibvirtdDir(join(dir, 'libvirt'))
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
