/** An administrator's day with the real `openstack` client, on two pretended hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, type Clients, hasClients, startClients } from '../support/client.ts'
import { type ServeProcess, serve } from '../support/process.ts'

describe.skipIf(!hasClients && !process.env.CI)('the openstack client', () => {
  let cloud: ServeProcess
  let clients: Clients
  let client: Client
  let hosts: string[]
  beforeAll(async () => {
    cloud = await serve({ driver: 'fake', env: { MINICLOUD_FAKE_HOSTS: '2', MINICLOUD_COMPUTE_HOST: 'host1' } })
    clients = await startClients(cloud)
    client = clients.openstack()
    const services = await client.json('compute', 'service', 'list', '--service', 'nova-compute')
    hosts = services.map(({ Host }: { Host: string }) => Host)
  })
  afterAll(async () => {
    await clients?.[Symbol.asyncDispose]()
    await cloud?.[Symbol.asyncDispose]()
  })

  it('groups hosts into a zone', async () => {
    const [, host = ''] = hosts
    await client.text('aggregate', 'create', '--zone', 'paris', '--property', 'ssd=true', 'fast')
    await client.text('aggregate', 'add', 'host', 'fast', host)
    expect(await client.json('aggregate', 'show', 'fast')).toMatchObject({ availability_zone: 'paris', hosts: [host] })
    expect(
      (await client.json('availability', 'zone', 'list', '--compute')).map((zone: Record<string, string>) => zone['Zone Name']),
    ).toContain('paris')
    await client.text('aggregate', 'set', '--property', 'rack=7', '--name', 'faster', 'fast')
    await client.text('aggregate', 'cache', 'image', 'faster', 'tiny')
    await client.text('aggregate', 'unset', '--property', 'rack', 'faster')
    await client.text('aggregate', 'remove', 'host', 'faster', host)
    await client.text('aggregate', 'delete', 'faster')
    expect(await client.json('aggregate', 'list')).toEqual([])
  })

  it('keeps servers apart, and counts what they use', async () => {
    const compute = ['--os-compute-api-version', '2.71']
    const group = await client.json(...compute, 'server', 'group', 'create', '--policy', 'anti-affinity', 'apart')
    for (const name of ['a', 'b'])
      await client.text(
        ...['server', 'create', '--image', 'tiny', '--flavor', 'm1.nano', '--network', 'private', '--hint', `group=${group.id}`],
        ...['--wait', name],
      )
    const servers = await Promise.all(['a', 'b'].map((name) => client.json(...compute, 'server', 'show', name)))
    expect(new Set(servers.map((server) => server['OS-EXT-SRV-ATTR:host'])).size).toBe(2)
    expect(servers.map((server) => server.server_groups)).toEqual([[group.id], [group.id]])
    expect((await client.json(...compute, 'server', 'group', 'show', 'apart')).members).toContain(servers[0].id)
    expect((await client.json('usage', 'list'))[0].Servers).toHaveLength(2)
    expect((await client.json('usage', 'show')).Servers).toHaveLength(2)
    expect(await client.json('server', 'migration', 'list')).toEqual([])
    await client.text('server', 'group', 'delete', 'apart')
    expect(await client.json('server', 'group', 'list')).toEqual([])
  })

  it('looks at hosts', async () => {
    expect((await client.json('host', 'list')).map((host: Record<string, string>) => host['Host Name'])).toEqual(
      expect.arrayContaining(hosts),
    )
    expect(await client.json('host', 'show', hosts[0] ?? '')).not.toEqual([])
  })
})
