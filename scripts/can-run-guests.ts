/** Whether real guests can run in the tests here: root, libvirt's daemons and QEMU. Says what is missing and ends with 1. */
import { existsSync } from 'node:fs'

const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const programs = [
  `/usr/bin/qemu-system-${arch}`,
  '/usr/bin/qemu-img',
  '/usr/sbin/libvirtd',
  '/usr/sbin/virtlogd',
  '/usr/sbin/dnsmasq',
  '/usr/sbin/nft',
]
const missing = programs.filter((program) => !existsSync(program))
if (process.getuid?.() !== 0) missing.unshift('the rights of root')
if (missing.length > 0) {
  process.stderr.write(`this machine cannot run guests: missing ${missing.join(', ')}\n`)
  process.exitCode = 1
}
