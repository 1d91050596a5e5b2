/** An administrator's day with the real `openstack` client, on two pretended hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasOpenstack, type ServeProcess, serve } from '../support/process.ts'

describe.skipIf(!hasOpenstack && !process.env.CI)('the openstack client', () => {
  let cloud: ServeProcess
  let hosts: string[]
  beforeAll(async () => {
    cloud = await serve({ driver: 'fake', env: { MINICLOUD_FAKE_HOSTS: '2', MINICLOUD_COMPUTE_HOST: 'host1' } })
    const services = await cloud.json('compute', 'service', 'list', '--service', 'nova-compute')
    hosts = services.map(({ Host }: { Host: string }) => Host)
  })
  afterAll(() => cloud?.[Symbol.asyncDispose]())

  it('groups hosts into a zone', async () => {
    const [, host = ''] = hosts
    await cloud.openstack('aggregate', 'create', '--zone', 'paris', '--property', 'ssd=true', 'fast')
    await cloud.openstack('aggregate', 'add', 'host', 'fast', host)
    expect(await cloud.json('aggregate', 'show', 'fast')).toMatchObject({ availability_zone: 'paris', hosts: [host] })
    expect(
      (await cloud.json('availability', 'zone', 'list', '--compute')).map((zone: Record<string, string>) => zone['Zone Name']),
    ).toContain('paris')
    await cloud.openstack('aggregate', 'set', '--property', 'rack=7', '--name', 'faster', 'fast')
    await cloud.openstack('aggregate', 'cache', 'image', 'faster', 'tiny')
    await cloud.openstack('aggregate', 'unset', '--property', 'rack', 'faster')
    await cloud.openstack('aggregate', 'remove', 'host', 'faster', host)
    await cloud.openstack('aggregate', 'delete', 'faster')
    expect(await cloud.json('aggregate', 'list')).toEqual([])
  })

  it('keeps servers apart, and counts what they use', async () => {
    const compute = ['--os-compute-api-version', '2.71']
    const group = await cloud.json(...compute, 'server', 'group', 'create', '--policy', 'anti-affinity', 'apart')
    for (const name of ['a', 'b'])
      await cloud.openstack(
        ...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--hint', `group=${group.id}`],
        ...['--wait', name],
      )
    const servers = await Promise.all(['a', 'b'].map((name) => cloud.json(...compute, 'server', 'show', name)))
    expect(new Set(servers.map((server) => server['OS-EXT-SRV-ATTR:host'])).size).toBe(2)
    expect(servers.map((server) => server.server_groups)).toEqual([[group.id], [group.id]])
    expect((await cloud.json(...compute, 'server', 'group', 'show', 'apart')).members).toContain(servers[0].id)
    expect((await cloud.json('usage', 'list'))[0].Servers).toHaveLength(2)
    expect((await cloud.json('usage', 'show')).Servers).toHaveLength(2)
    expect(await cloud.json('server', 'migration', 'list')).toEqual([])
    await cloud.openstack('server', 'group', 'delete', 'apart')
    expect(await cloud.json('server', 'group', 'list')).toEqual([])
  })

  it('looks at hosts', async () => {
    expect((await cloud.json('host', 'list')).map((host: Record<string, string>) => host['Host Name'])).toEqual(
      expect.arrayContaining(hosts),
    )
    expect(await cloud.json('host', 'show', hosts[0] ?? '')).not.toEqual([])
  })
})
