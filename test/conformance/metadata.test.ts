/** What guests read at 169.254.169.254, over real sockets. */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import { planDisks } from '../../src/nova/model/index.ts'
import { aPort, aSubnet, askAt, startMetadata } from '../support/metadata.ts'

const ec2 = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
  'latest',
]
const openstack = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
  '2025-04-04',
  'latest',
]
const withAll = {
  keyName: 'my key',
  keyData: 'ssh-ed25519 AAAA me',
  keyType: 'ssh',
  kernelId: 'aaaaaaaa-0000-4000-8000-000000000002',
  ramdiskId: 'aaaaaaaa-0000-4000-8000-000000000003',
  launchIndex: 3,
  userData: Buffer.from('#cloud-config\n\u00ff').toString('base64'),
  metadata: { role: 'web' },
}
const fullPort = aPort({
  tag: 'front',
  subnets: [
    aSubnet({ ips: [{ address: '10.1.0.7', floating: ['172.24.4.9'] }] }),
    aSubnet({
      id: 'subnet-6',
      version: 6,
      cidr: 'fd00:1::/64',
      gateway: 'fd00:1::1',
      dhcpServer: null,
      ipv6Mode: 'slaac',
      dns: [],
      ips: [{ address: 'fd00:1::7', floating: [] }],
    }),
  ],
  securityGroups: [
    { id: 'g1', name: 'default' },
    { id: 'g2', name: 'web' },
  ],
})

describe('listings', () => {
  it('lists the EC2 versions to anybody', async () => {
    const { openNetwork } = startMetadata()
    const answer = await askAt(await openNetwork('nobodys'), '/')
    expect(answer).toMatchObject({ status: 200, type: 'text/plain; charset=UTF-8', text: ec2.join('\n') })
  })

  it('lists both trees to a guest', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest()
    expect((await ask('/ec2')).text).toBe(ec2.join('\n'))
    expect((await ask('/openstack')).text).toBe(openstack.join('\n'))
  })

  it('keeps versions of the future out of the listing and answers them all the same', async () => {
    const { guest } = startMetadata({ clock: manualClock(Date.UTC(2017, 0, 1)) })
    const { ask } = await guest()
    expect((await ask('/openstack')).text.split('\n')).toEqual([...openstack.slice(0, 6), 'latest'])
    expect((await ask('/openstack/2020-10-14/meta_data.json')).status).toBe(200)
  })

  const base = [
    'ami-id',
    'ami-launch-index',
    'ami-manifest-path',
    'hostname',
    'instance-id',
    'local-ipv4',
    '0=my key',
    'reservation-id',
    'security-groups',
  ]
  const added: Record<string, string[]> = {
    '2007-01-19': ['local-hostname', 'public-hostname', 'public-ipv4'],
    '2007-08-29': ['instance-type'],
    '2007-12-15': ['block-device-mapping/', 'kernel-id', 'ramdisk-id'],
    '2008-02-01': ['placement/'],
    '2008-09-01': ['instance-action'],
  }
  it.each(ec2)('lists EC2 %s', async (version) => {
    const { guest } = startMetadata()
    const { ask } = await guest(withAll, [fullPort])
    const expected = [...base, ...Object.entries(added).flatMap(([since, names]) => (since <= version ? names : []))].map((name) =>
      name === '0=my key' ? 'public-keys/' : name,
    )
    expect((await ask(`/${version}`)).text).toBe('meta-data/\nuser-data')
    expect((await ask(`/${version}/meta-data`)).text).toBe(expected.sort().join('\n'))
    expect((await ask(`/${version}/meta-data/public-keys/`)).text).toBe('0=my key')
  })

  it.each(openstack)('lists OpenStack %s, and what is listed is there', async (version) => {
    const { guest } = startMetadata()
    const { ask } = await guest(withAll)
    const names: [string, string][] = [
      ['meta_data.json', '2012'],
      ['user_data', '2012'],
      ['password', '2013-04'],
      ['vendor_data.json', '2013-10'],
      ['network_data.json', '2015'],
      ['vendor_data2.json', '2016-10'],
    ]
    const listed = names.filter(([, since]) => version >= since).map(([name]) => name)
    expect((await ask(`/openstack/${version}/`)).text).toBe(listed.join('\n'))
    for (const [name] of names)
      expect([name, (await ask(`/openstack/${version}/${name}`)).status]).toEqual([
        name,
        listed.includes(name) || name === 'network_data.json' ? 200 : 404,
      ])
  })

  it('has no user data where there is none', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest()
    expect((await ask('/latest')).text).toBe('meta-data/')
    expect((await ask('/latest/user-data')).status).toBe(404)
    expect((await ask('/openstack/latest')).text).not.toContain('user_data')
    expect((await ask('/openstack/latest/user_data')).status).toBe(404)
  })
})

describe('EC2 values', () => {
  it('tells everything of a server that has everything', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest(withAll, [fullPort])
    const expected: Record<string, string> = {
      'ami-id': 'ami-00000001',
      'kernel-id': 'aki-00000002',
      'ramdisk-id': 'ari-00000003',
      'instance-id': 'i-00000001',
      'ami-launch-index': '3',
      'ami-manifest-path': 'FIXME',
      hostname: 'web-1.novalocal',
      'local-hostname': 'web-1.novalocal',
      'public-hostname': 'web-1.novalocal',
      'local-ipv4': '10.1.0.7',
      'public-ipv4': '172.24.4.9',
      'reservation-id': 'r-abcdefgh',
      'security-groups': 'default\nweb',
      'public-keys/0': 'openssh-key',
      'public-keys/0/openssh-key': 'ssh-ed25519 AAAA me',
      'instance-type': 'm1.tiny',
      'block-device-mapping': 'ami\nroot',
      'block-device-mapping/ami': 'vda',
      'block-device-mapping/root': '/dev/vda',
      placement: 'availability-zone',
      'placement/availability-zone': 'nova',
      'instance-action': 'none',
    }
    for (const [path, text] of Object.entries(expected)) expect([path, (await ask(`/latest/meta-data/${path}`)).text]).toEqual([path, text])
    expect((await ask('/latest/user-data')).bytes).toEqual(Buffer.from('#cloud-config\n\u00ff'))
  })

  it('keeps ids apart and the same, and falls back to the address that asks', async () => {
    const { guest } = startMetadata({ flags: { 'api.dhcp_domain': '', 'api.metadata_cache_expiration': '0' } })
    const one = await guest({}, [])
    const two = await guest({}, [])
    const id = async ({ ask }: typeof one) => (await ask('/latest/meta-data/instance-id')).text
    expect([await id(one), await id(two), await id(one)]).toEqual(['i-00000001', 'i-00000002', 'i-00000001'])
    expect((await one.ask('/latest/meta-data/local-ipv4')).text).toBe('127.0.0.1')
    expect((await one.ask('/latest/meta-data/hostname')).text).toBe('web-1')
    expect((await one.ask('/latest/meta-data/public-keys')).status).toBe(404)
    expect((await one.ask('/latest/meta-data/kernel-id')).status).toBe(404)
  })
})

describe('meta_data.json', () => {
  const read = async (ask: (path: string) => Promise<{ text: string }>, version = 'latest') =>
    JSON.parse((await ask(`/openstack/${version}/meta_data.json`)).text)

  it('tells everything of a server that has everything', async () => {
    const { guest } = startMetadata()
    const { ask, instance } = await guest(withAll, [fullPort])
    const { random_seed, ...rest } = await read(ask)
    expect(rest).toEqual({
      uuid: instance.uuid,
      meta: { role: 'web' },
      public_keys: { 'my key': 'ssh-ed25519 AAAA me' },
      keys: [{ name: 'my key', type: 'ssh', data: 'ssh-ed25519 AAAA me' }],
      hostname: 'web-1.novalocal',
      name: 'web 1',
      launch_index: 3,
      availability_zone: 'nova',
      project_id: 'project-a',
      devices: [{ type: 'nic', mac: 'fa:16:3e:00:00:01', vf_trusted: false, tags: ['front'], bus: 'pci', address: 'none' }],
      dedicated_cpus: [],
    })
    expect(Buffer.from(random_seed, 'base64')).toHaveLength(512)
    expect((await read(ask)).random_seed).not.toBe(random_seed)
    expect((await ask('/openstack/latest/meta_data.json')).type).toBe('application/json')
  })

  it('tells disks that were mapped, by the tags that their owner gave them and by their names', async () => {
    const { guest } = startMetadata()
    const blank = { source: 'blank', destination: 'local', uuid: null, bootIndex: null, guestFormat: null } as const
    const plain = { deviceName: null, deviceType: null, bus: null, size: 1, tag: null }
    const mapped = [
      { ...blank, ...plain, source: 'image', uuid: 'i', bootIndex: 0, size: null, tag: 'system' } as const,
      { ...blank, ...plain, tag: 'scratch', bus: 'scsi' },
      { ...blank, ...plain },
      { ...blank, ...plain, guestFormat: 'swap', size: 64 },
    ]
    const flavor = { ephemeralGib: 2, swapMib: 64 }
    const { ask } = await guest({ disks: planDisks({ imageId: 'i', bus: undefined, flavor, mapped, maxLocal: -1 }) })
    const { devices } = await read(ask)
    expect(devices.filter(({ type }: { type: string }) => type === 'disk')).toEqual([
      { type: 'disk', path: '/dev/vda', bus: 'pci', address: 'none', tags: ['system'] },
      { type: 'disk', path: '/dev/sda', bus: 'scsi', address: 'none', tags: ['scratch'] },
    ])
    const names = ['ami', 'root', 'ephemeral0', 'ephemeral1', 'swap']
    const mapping = await Promise.all(names.map(async (name) => (await ask(`/latest/meta-data/block-device-mapping/${name}`)).text))
    expect(mapping).toEqual(['vda', '/dev/vda', '/dev/sda', '/dev/vdb', '/dev/vdc'])
  })

  it('gains keys from version to version', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest()
    const added: Record<string, string[]> = {
      '2013-04-04': ['random_seed'],
      '2015-10-15': ['project_id'],
      '2016-06-30': ['devices'],
      '2020-10-14': ['dedicated_cpus'],
    }
    for (const version of openstack) {
      const expected = [
        'uuid',
        'hostname',
        'name',
        'launch_index',
        'availability_zone',
        ...Object.entries(added).flatMap(([since, keys]) => (since <= version ? keys : [])),
      ]
      expect([version, Object.keys(await read(ask, version)).sort()]).toEqual([version, expected.sort()])
    }
  })

  it('gives the type of a certificate', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest({ keyName: 'cert', keyData: '-----BEGIN', keyType: 'x509' })
    expect((await read(ask)).keys).toEqual([{ name: 'cert', type: 'x509', data: '-----BEGIN' }])
  })

  it('is kept for as long as configured', async () => {
    const { guest, model, clock } = startMetadata()
    const { ask, instance } = await guest({ metadata: { v: '1' } })
    expect((await read(ask)).meta).toEqual({ v: '1' })
    model.instances.setMetadata(instance.uuid, { v: '2' })
    await clock.advance('14 s')
    expect((await read(ask)).meta).toEqual({ v: '1' })
    await clock.advance('2 s')
    expect((await read(ask)).meta).toEqual({ v: '2' })
  })
})

describe('network_data.json', () => {
  it('is text/plain and tells links, networks and name servers', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest({}, [fullPort])
    const answer = await ask('/openstack/latest/network_data.json')
    expect(answer.type).toBe('text/plain; charset=UTF-8')
    expect(JSON.parse(answer.text)).toEqual({
      links: [{ id: 'tapcccccccc-00', vif_id: fullPort.portId, type: 'bridge', mtu: null, ethernet_mac_address: 'fa:16:3e:00:00:01' }],
      networks: [
        { id: 'network0', type: 'ipv4_dhcp', link: 'tapcccccccc-00', network_id: 'network-1' },
        {
          id: 'network1',
          type: 'ipv6_slaac',
          link: 'tapcccccccc-00',
          ip_address: 'fd00:1::7',
          netmask: 'ffff:ffff:ffff:ffff::',
          routes: [{ network: '::', netmask: '::', gateway: 'fd00:1::1' }],
          network_id: 'network-1',
          services: [],
        },
      ],
      services: [{ type: 'dns', address: '10.1.0.2' }],
    })
  })
})

describe('password', () => {
  it('is set once by the guest and kept in four pieces', async () => {
    const { guest, model } = startMetadata()
    const { ask, instance } = await guest()
    const blob = 'A'.repeat(1020)
    expect(await ask('/openstack/latest/password')).toMatchObject({ status: 200, text: '' })
    expect(await ask('/openstack/latest/password', { method: 'POST', body: `${blob}A` })).toMatchObject({ status: 400 })
    expect(await ask('/openstack/2013-04-04/password', { method: 'POST', body: blob })).toMatchObject({ status: 200, text: '' })
    expect((await ask('/openstack/latest/password')).text).toBe(blob)
    expect(await ask('/openstack/latest/password', { method: 'POST', body: 'other' })).toMatchObject({ status: 409 })
    expect(await ask('/openstack/latest/password', { method: 'DELETE' })).toMatchObject({ status: 400 })
    const kept = model.instances.systemMetadata(instance.uuid)
    expect([0, 1, 2, 3].map((i) => kept[`password_${i}`]?.length)).toEqual([255, 255, 255, 255])
  })

  it('is text, and not there before 2013-04-04', async () => {
    const { guest } = startMetadata()
    const { ask } = await guest()
    expect((await ask('/openstack/2012-08-10/password')).status).toBe(404)
    expect((await ask('/openstack/latest/password', { method: 'POST', body: Buffer.from([0xff, 0xfe]) })).status).toBe(400)
    expect((await ask('/openstack/latest/password', { method: 'POST', body: 'a\0b' })).status).toBe(400)
    expect((await ask('/openstack/latest/meta_data.json', { method: 'PUT', body: 'whatever' })).status).toBe(200)
  })
})

describe('identity', () => {
  it('knows nobody at an unknown address, and no server that was deleted', async () => {
    const { guest, owners, model, ground } = startMetadata()
    const { ask, instance, networkId } = await guest()
    expect((await ask('/openstack')).status).toBe(200)
    ground.db.transaction(() => model.instances.remove(instance.uuid))
    expect((await ask('/openstack/latest/meta_data.json')).status).toBe(404)
    owners.delete(networkId)
    expect(await ask('/openstack')).toMatchObject({ status: 404, text: '404 Not Found\n\nNo server has this address.\n' })
  })

  it('tells two networks of the same addresses apart, whatever headers say', async () => {
    const { guest } = startMetadata({ flags: { 'neutron.service_metadata_proxy': 'true', 'neutron.metadata_proxy_shared_secret': 's' } })
    const one = await guest({ projectId: 'project-a' })
    const two = await guest({ projectId: 'project-b' })
    const signature = createHmac('sha256', 's').update(two.instance.uuid).digest('hex')
    const forged = {
      'x-forwarded-for': '10.9.9.9',
      'x-instance-id': two.instance.uuid,
      'x-tenant-id': 'project-b',
      'x-instance-id-signature': signature,
      'x-metadata-provider': two.networkId,
      'x-metadata-provider-signature': createHmac('sha256', 's').update(two.networkId).digest('hex'),
    }
    const uuidOf = async ({ ask }: typeof one) => JSON.parse((await ask('/openstack/latest/meta_data.json', { headers: forged })).text).uuid
    expect([await uuidOf(one), await uuidOf(two)]).toEqual([one.instance.uuid, two.instance.uuid])
  })

  it('lets an open connection not follow its address to another port', async () => {
    const { guest, own, boot } = startMetadata()
    const { port, networkId } = await guest()
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', (chunk) => {
      seen += chunk
    })
    const say = async (answers: number) => {
      socket.write('GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: x\r\n\r\n')
      await expect.poll(() => seen.match(/HTTP\/1.1 \d+/g)?.length).toBe(answers)
    }
    await say(1)
    own(networkId, boot({ projectId: 'project-b' }))
    await say(2)
    socket.destroy()
    expect(seen.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404'])
  })

  it('serves connections that come paused', async () => {
    const { boot, own, openNetwork } = startMetadata()
    own('n', boot())
    expect((await askAt(await openNetwork('n', { paused: true }), '/openstack')).status).toBe(200)
  })
})

describe('the classic port', () => {
  const sign = (text: string, secret = 'hush') => createHmac('sha256', secret).update(text).digest('hex')
  const proxied = { 'neutron.service_metadata_proxy': 'true', 'neutron.metadata_proxy_shared_secret': 'hush' }

  it('believes a network proxy that signs', async () => {
    const { boot, metadata } = startMetadata({ flags: proxied })
    const instance = boot({}, [])
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const good = {
      'X-Instance-ID': instance.uuid,
      'X-Tenant-ID': 'project-a',
      'X-Instance-ID-Signature': sign(instance.uuid),
      'X-Forwarded-For': '10.3.3.3',
    }
    const status = async (headers: Record<string, string | string[] | undefined>) =>
      (await askAt(port, '/openstack', { headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) }))
        .status
    expect(await status(good)).toBe(200)
    expect((await askAt(port, '/latest/meta-data/local-ipv4', { headers: good })).text).toBe('10.3.3.3')
    for (const name of ['X-Instance-ID', 'X-Tenant-ID', 'X-Instance-ID-Signature'])
      expect([name, await status({ ...good, [name]: undefined })]).toEqual([name, 400])
    expect(await status({ ...good, 'X-Instance-ID': [instance.uuid, instance.uuid] })).toBe(400)
    expect(await status({ ...good, 'X-Instance-ID-Signature': sign(instance.uuid, 'guess') })).toBe(403)
    expect(await status({ ...good, 'X-Tenant-ID': 'project-b' })).toBe(404)
    expect(await status({ ...good, 'X-Instance-ID': 'none', 'X-Instance-ID-Signature': sign('none') })).toBe(404)
    expect((await askAt(port, '/')).status).toBe(200)
  })

  it('believes a load balancer that signs for its network', async () => {
    const { boot, own, metadata } = startMetadata({ flags: proxied })
    const instance = boot()
    own('net-1', instance)
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const good = {
      'X-Metadata-Provider': 'net-1',
      'X-Metadata-Provider-Signature': sign('net-1'),
      'X-Forwarded-For': '127.0.0.1, 10.0.0.1',
    }
    const answer = await askAt(port, '/openstack/latest/meta_data.json', { headers: good })
    expect(JSON.parse(answer.text).uuid).toBe(instance.uuid)
    expect((await askAt(port, '/openstack', { headers: { ...good, 'X-Metadata-Provider-Signature': 'no' } })).status).toBe(403)
    expect((await askAt(port, '/openstack', { headers: { ...good, 'X-Forwarded-For': '10.0.0.1' } })).status).toBe(400)
  })

  it('believes nobody without a secret', async () => {
    const { boot, metadata } = startMetadata({ flags: { 'neutron.service_metadata_proxy': 'true' } })
    const { uuid } = boot()
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const headers = { 'X-Instance-ID': uuid, 'X-Tenant-ID': 'project-a', 'X-Instance-ID-Signature': sign(uuid, '') }
    expect((await askAt(port, '/openstack', { headers })).status).toBe(403)
  })

  it('knows peers by their address when there is no proxy, if only one port has it', async () => {
    const { boot, own, metadata } = startMetadata()
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    expect((await askAt(port, '/openstack')).status).toBe(404)
    own('one', boot())
    expect((await askAt(port, '/openstack')).status).toBe(200)
    own('two', boot())
    expect((await askAt(port, '/openstack')).status).toBe(404)
  })
})

describe('hostile guests', () => {
  it('get no 5xx and nothing of their neighbours, whatever path and headers they send', async () => {
    const { guest } = startMetadata({ flags: { 'api.metadata_cache_expiration': '0' } })
    const secret = 'neighbours-secret'
    await guest({
      projectId: 'project-b',
      userData: Buffer.from(secret).toString('base64'),
      metadata: { secret },
      keyName: secret,
      keyData: secret,
      name: secret,
    })
    const { ask } = await guest(withAll)
    const word = fc.oneof(
      fc.constantFrom(
        'openstack',
        'ec2',
        'latest',
        '2009-04-04',
        '2018-08-27',
        'meta-data',
        'public-keys',
        '0',
        '_name',
        'content',
        'password',
        '..',
        '.',
        '',
        '__proto__',
        'constructor',
        'length',
        '%2e%2e',
        '%',
        '%ff',
        '%00',
        '*',
      ),
      fc.webSegment(),
    )
    const name = fc.constantFrom('x-forwarded-for', 'x-instance-id', 'x-real-ip', 'forwarded', 'host', 'expect', 'upgrade', 'content-type')
    const value = fc.stringMatching(/^[\x21-\x7e]{0,40}$/)
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 7 }), fc.dictionary(name, value, { maxKeys: 3 }), async (words, headers) => {
        const answer = await ask(`/${words.join('/')}`, { headers: headers.expect === undefined ? headers : { ...headers, expect: 'x' } })
        expect(answer.status).toBeLessThan(500)
        expect(answer.text).not.toContain(secret)
      }),
      { numRuns: 150 },
    )
  })

  it('get short shrift for large headers, large bodies and what is no HTTP', async () => {
    const { guest } = startMetadata()
    const { ask, port } = await guest()
    expect((await ask('/openstack', { headers: { 'x-long': 'a'.repeat(20_000) } })).status).toBe(431)
    expect((await ask('/openstack', { method: 'POST', body: 'a'.repeat(64 * 1024 + 1) })).status).toBe(413)
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', (chunk) => {
      seen += chunk
    })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('\x16\x03\x01 no http\r\n\r\n')
    await closed
    expect(seen).toMatch(/^HTTP\/1.1 400 /)
  })

  /** A connection by hand: what came back, and whether it is closed. */
  const dial = (port: number) => {
    const line = { seen: '', isClosed: false, socket: connect(port, '127.0.0.1') }
    line.socket.on('error', () => line.socket.destroy())
    line.socket.on('close', () => {
      line.isClosed = true
    })
    line.socket.on('data', (chunk) => {
      line.seen += chunk
    })
    return line
  }
  const answersOf = ({ seen }: { seen: string }) => seen.match(/HTTP\/1.1 \d+/g) ?? []

  it('keep a connection for as long as they use it', async () => {
    const { guest, clock } = startMetadata()
    const { port } = await guest()
    const line = dial(port)
    for (const count of [1, 2, 3]) {
      line.socket.write('GET /openstack HTTP/1.1\r\nHost: x\r\n\r\n')
      await expect.poll(() => answersOf(line).length).toBe(count)
      await clock.advance('14 s')
    }
    expect(line.isClosed).toBe(false)
    await clock.advance('2 s')
    await expect.poll(() => line.isClosed).toBe(true)
  })

  it('lose a connection on which a body goes on after its refusal, or never ends', async () => {
    const { guest, clock } = startMetadata()
    const { port } = await guest()
    const [long, slow] = [dial(port), dial(port)]
    const head = 'POST /openstack/latest/password HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n'
    long.socket.write(head + 'a'.repeat(70_000))
    await expect.poll(() => answersOf(long)).toEqual(['HTTP/1.1 413'])
    await expect.poll(() => long.isClosed).toBe(true)
    slow.socket.write(`${head}a`)
    await expect.poll(() => slow.socket.bytesWritten).toBe(head.length + 1)
    await clock.advance('16 s')
    await expect.poll(() => slow.isClosed).toBe(true)
    expect(slow.seen).toBe('')
  })

  it('get no 5xx when they hang up in the middle', async () => {
    const { guest, ground } = startMetadata()
    const errors: unknown[] = []
    ground.log.error = (...said: unknown[]) => errors.push(said)
    const { port, ask } = await guest()
    const lines = ['GET /openst', 'POST /openstack HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'].map((text) => {
      const line = dial(port)
      line.socket.end(text)
      return line
    })
    const rude = dial(port)
    rude.socket.write('POST /openstack HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', () => rude.socket.resetAndDestroy())
    for (const line of [...lines, rude]) await expect.poll(() => line.isClosed).toBe(true)
    expect((await ask('/openstack')).status).toBe(200)
    expect(lines.flatMap(answersOf).filter((status) => status > 'HTTP/1.1 5')).toEqual([])
    expect(errors).toEqual([])
  })

  it('may hold sixteen connections, and none that idles', async () => {
    const { guest, clock } = startMetadata()
    const { port, ask } = await guest()
    const closed = new Set<number>()
    const sockets = Array.from({ length: 17 }, (_, i) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => socket.destroy())
      socket.on('close', () => closed.add(i))
      return socket
    })
    await expect.poll(() => closed.size).toBe(1)
    // A header that trickles in is no reason to wait longer.
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nX-Slow:')
    await clock.advance('16 s')
    await expect.poll(() => closed.size).toBe(17)
    expect((await ask('/openstack')).status).toBe(200)
  })
})
