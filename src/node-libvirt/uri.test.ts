import { expect, test } from 'vitest'
import { parseUri } from './uri.ts'

test.each([
  ['qemu:///system', 'qemu:///system', { kind: 'unix', sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'] }],
  ['test:///default', 'test:///default', { kind: 'unix', sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virttestd-sock'] }],
  ['qemu+unix:///system?socket=/tmp/a%20b', 'qemu:///system', { kind: 'unix', sockets: ['/tmp/a b'] }],
  ['qemu+tcp://host/system', 'qemu:///system', { kind: 'tcp', host: 'host', port: 16509 }],
  ['qemu+tcp://[::1]:99/system', 'qemu:///system', { kind: 'tcp', host: '::1', port: 99 }],
  ['qemu://host/system', 'qemu:///system', { kind: 'tls', host: 'host', port: 16514, pkiPath: undefined, verify: true }],
  [
    'qemu+tls://host/system?pkipath=/p&no_verify=1',
    'qemu:///system',
    { kind: 'tls', host: 'host', port: 16514, pkiPath: '/p', verify: false },
  ],
  [
    'qemu+ssh://root@host:22/system?keyfile=/k',
    'qemu:///system',
    { kind: 'ssh', host: 'host', port: 22, user: 'root', keyFile: '/k', socket: '/run/libvirt/libvirt-sock' },
  ],
])('%s', (uri, remote, transport) => {
  expect(parseUri(uri)).toEqual({ remote, transport })
})

test.each([
  '',
  'qemu',
  'qemu:/system',
  'qemu+ext:///system',
  'qemu+ssh:///system',
  'qemu+tcp://host:0/',
  'qemu+tcp://host:99999/',
  'qemu+tcp://a@b@c/',
])('refuses %j', (uri) => {
  expect(() => parseUri(uri)).toThrow(TypeError)
})
