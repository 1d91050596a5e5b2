import { describe, expect, it } from 'vitest'
import { aPort, openstackVersions, startMetadata } from '../../../test/support/metadata.ts'

const userData = Buffer.from([0, 1, 254]).toString('base64')

function drive(flags: Record<string, string> = {}) {
  const { metadata, boot } = startMetadata({ flags })
  const instance = boot({ userData, keyName: 'k', keyData: 'ssh-rsa A' })
  return async (adminPass: string | null, injected?: { path: string; data: Uint8Array }[]) => {
    const files = await metadata.configDriveFiles(instance, adminPass, injected)
    return new Map(files.map(({ path, data }) => [path, Buffer.from(data)]))
  }
}
const json = (files: Map<string, Buffer>, path: string) => JSON.parse(String(files.get(path)))

describe('config drive', () => {
  it('has both trees, without the skipped versions and the password', async () => {
    const files = await drive()(null)
    const expected = ['2009-04-04', 'latest'].flatMap((version) => [`ec2/${version}/meta-data.json`, `ec2/${version}/user-data`])
    for (const version of openstackVersions) {
      const names = [
        'meta_data.json',
        'user_data',
        ...(version >= '2013-10-17' ? ['vendor_data.json'] : []),
        ...(version >= '2015-10-15' ? ['network_data.json'] : []),
      ]
      expected.push(...[...names, ...(version >= '2016-10-06' ? ['vendor_data2.json'] : [])].map((name) => `openstack/${version}/${name}`))
    }
    expect([...files.keys()].sort()).toEqual(expected.sort())
    expect(files.get('openstack/latest/user_data')).toEqual(Buffer.from([0, 1, 254]))
    expect(files.get('ec2/latest/user-data')).toEqual(Buffer.from([0, 1, 254]))
  })

  it('nests EC2 keys as guests know them', async () => {
    expect(json(await drive()(null), 'ec2/latest/meta-data.json')).toMatchObject({
      'public-keys': { 0: { _name: '0=k', 'openssh-key': 'ssh-rsa A' } },
      'block-device-mapping': { ami: 'vda', root: '/dev/vda' },
      'security-groups': [],
      hostname: 'web-1.novalocal',
    })
  })

  it('has the password in every meta_data.json when there is one', async () => {
    const read = drive()
    const files = await read('s3cret')
    for (const version of openstackVersions) expect(json(files, `openstack/${version}/meta_data.json`).admin_pass).toBe('s3cret')
    expect(json(await read(null), 'openstack/latest/meta_data.json')).not.toHaveProperty('admin_pass')
  })

  it('has injected files, and says where they go', async () => {
    const files = await drive()(null, [
      { path: '/etc/one', data: Buffer.from('1') },
      { path: '/etc/two', data: Buffer.from('2') },
    ])
    expect(json(files, 'openstack/latest/meta_data.json').files).toEqual([
      { path: '/etc/one', content_path: '/content/0000' },
      { path: '/etc/two', content_path: '/content/0001' },
    ])
    expect(String(files.get('openstack/content/0001'))).toBe('2')
  })

  it('obeys config_drive_skip_versions and vendordata_providers', async () => {
    const files = await drive({ 'api.config_drive_skip_versions': 'latest 1.0', 'api.vendordata_providers': 'DynamicJSON' })(null)
    expect(files.has('ec2/latest/meta-data.json')).toBe(false)
    expect(files.has('ec2/2007-01-19/meta-data.json')).toBe(true)
    expect(files.has('openstack/latest/vendor_data.json')).toBe(false)
    expect(json(files, 'openstack/latest/vendor_data2.json')).toEqual({})
  })

  it('tells the ports that the build made just before', async () => {
    const { metadata, boot, model } = startMetadata()
    const { uuid } = boot({}, [])
    model.instances.setPorts(uuid, [aPort()])
    const files = await metadata.configDriveFiles(model.instances.get(uuid), null)
    const data = files.find(({ path }) => path === 'openstack/latest/network_data.json')!.data
    expect(JSON.parse(Buffer.from(data).toString()).links).toHaveLength(1)
  })
})
