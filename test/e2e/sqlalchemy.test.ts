/** Nova's own SQLAlchemy models read every table that both have, write rows, and we read those. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startTestCloud } from '../support/cloud.ts'

const script = fileURLToPath(new URL('sqlalchemy-models.py', import.meta.url))
const python = '/usr/bin/python3'
const hasNova = (() => {
  try {
    execFileSync(python, ['-c', 'import nova.db.main.models, nova.db.api.models'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

type Report = { read: Record<string, number>; missing: Record<string, string[]>; instance: Record<string, unknown> }

it.skipIf(!hasNova && !process.env.CI)("Nova's models read our file, and we read what they write", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'minicloud-nova-'))
  try {
    await using cloud = await startTestCloud({ dataDir })
    const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
    const body = { server: { name: 'web1', imageRef: image, flavorRef: '42', metadata: { role: 'db' } } }
    const { id } = (await cloud.call('POST', '/compute/v2.1/servers', { body })).body.server
    await cloud.settle()

    const report = JSON.parse(
      execFileSync(python, ['-W', 'ignore', script, join(dataDir, 'minicloud.db')], { encoding: 'utf8', timeout: 60_000 }),
    ) as Report
    expect(report.missing).toEqual({})
    expect(Object.keys(report.read).length).toBeGreaterThanOrEqual(20)
    for (const table of [
      'instances',
      'instance_extra',
      'instance_info_caches',
      'flavors',
      'services',
      'compute_nodes',
      'instance_actions',
      'request_specs',
      'cell_mappings',
      'host_mappings',
      'instance_mappings',
    ]) {
      expect(report.read[table], table).toBeGreaterThan(0)
    }
    expect(report.instance).toMatchObject({
      uuid: id,
      vm_state: 'active',
      locked: false,
      flavor: 'm1.nano',
      ports: 1,
      metadata: { role: 'db' },
    })

    const flavor = (await cloud.call('GET', '/compute/v2.1/flavors/nova-1', { version: '2.55' })).body.flavor
    expect(flavor).toMatchObject({ name: 'from-nova', ram: 64, description: "written by Nova's models" })
    const server = (await cloud.call('GET', `/compute/v2.1/servers/${id}`, { version: '2.19' })).body.server
    expect(server).toMatchObject({ description: "changed by Nova's models", metadata: { role: 'db', from: 'nova' } })
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
