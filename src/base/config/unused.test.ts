import { expect, it } from 'vitest'
import { novaConfNames } from './nova-conf-names.ts'
import { whyUnused } from './unused.ts'

const declared = new Map([
  ['scheduler.max_attempts', 1],
  ['minicloud.data_dir', 1],
  ['quota.cores', 1],
])
const why = (section: string, name: string) => whyUnused(section, name, declared)

it.each([
  ['database', 'connection', /SQLite/],
  ['api_database', 'max_pool_size', /SQLite/],
  ['DEFAULT', 'transport_url', /without a message broker/],
  ['oslo_messaging_rabbit', 'rabbit_host', /without a message broker/],
  ['keystone_authtoken', 'password', /identity is a part/],
  ['placement', 'os_region_name', /placement is a part/],
  ['vnc', 'vncserver_listen', /sockets/],
  ['DEFAULT', 'quota_cores', /\[quota\]/],
  ['DEFAULT', 'log_dir', /standard error/],
  ['libvirt', 'rbd_user', /no such setting/],
])('[%s] %s of a nova.conf has its reason', (section, name, reason) => {
  expect(why(section, name)).toMatch(reason)
  expect(why(section, name)).not.toMatch(/no such option/)
})

it('what nobody knows is told apart, with what may have been meant', () => {
  expect(why('scheduler', 'max_atempts')).toBe('there is no such option; is max_attempts meant?')
  expect(why('minicloud', 'datadir')).toBe('there is no such option; is data_dir meant?')
  expect(why('DEFAULT', 'virt_type')).toBe('there is no such option; is the one of [libvirt] meant?')
  expect(why('databse', 'connection')).toBe('there is no such option; is the one of [api_database] meant?')
  expect(why('placment', 'colour_of_cloud')).toBe('there is no such section; is [placement] meant?')
  expect(why('libvirt', 'colour_of_cloud')).toBe('there is no such option')
})

it('the table has every section, and the options that several share', () => {
  const names = novaConfNames()
  expect(names.size).toBeGreaterThan(35)
  for (const section of ['neutron', 'glance', 'placement', 'keystone_authtoken']) expect(names.get(section)?.has('auth_url')).toBe(true)
  expect(names.get('DEFAULT')?.has('auth_url')).toBe(false)
})
