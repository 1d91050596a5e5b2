/** What guests read of themselves at 169.254.169.254, over real sockets. */
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import { planDisks } from '../../src/nova/model/index.ts'
import { aPort, aSubnet, askAt, openstackVersions, startMetadata } from '../support/metadata.ts'

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
    expect((await ask('/openstack')).text).toBe(openstackVersions.join('\n'))
  })

  it('keeps versions of the future out of the listing and answers them all the same', async () => {
    const { guest } = startMetadata({ clock: manualClock(Date.UTC(2017, 0, 1)) })
    const { ask } = await guest()
    expect((await ask('/openstack')).text.split('\n')).toEqual([...openstackVersions.slice(0, 6), 'latest'])
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

  it.each(openstackVersions)('lists OpenStack %s, and what is listed is there', async (version) => {
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
    for (const version of openstackVersions) {
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
