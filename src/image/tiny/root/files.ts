/** Every text file of the guest, by its place. Executable where it begins with `#!`. */
import { agentScript } from './agent.ts'
import { cloudScript, configDriveScript, dhcpScript, nicScript } from './cloud.ts'
import { bootScript, flattenAwk, initScript, libScript, stopScript, watchScript } from './init.ts'

/**
 * SHA-512 crypt of the word "tiny". It is no secret: the banner says it, it opens the console only, and who can reach an instance's
 * console owns the instance. The ssh server takes keys alone.
 */
const consolePassword = '$6$minicloudtiny$RH.kTqzJ.jn/DyeMucnCq8qeyDLPeD3hUlJsLZo.i3ecA3ZXT8I2bBZkY0OhtGJYTu9rOsNtyj/RwoUXAcJyW0'

export const rootFiles: Readonly<Record<string, string>> = {
  init: initScript,
  'etc/tiny/lib': libScript,
  'etc/tiny/flatten.awk': flattenAwk,
  'etc/tiny/boot': bootScript,
  'etc/tiny/watch': watchScript,
  'etc/tiny/stop': stopScript,
  'etc/tiny/agent': agentScript,
  'etc/tiny/nic': nicScript,
  'etc/tiny/dhcp': dhcpScript,
  'etc/tiny/config-drive': configDriveScript,
  'etc/tiny/cloud': cloudScript,
  'etc/acpi/PWRF/00000080': '#!/bin/sh\nexec /etc/tiny/stop poweroff\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\ntiny:x:1000:1000:tiny:/home/tiny:/bin/sh\n',
  'etc/group': 'root:x:0:\ntty:x:5:\ntiny:x:1000:\n',
  'etc/shadow': `root:${consolePassword}:1::::::\ntiny:${consolePassword}:1::::::\n`,
  'etc/shells': '/bin/sh\n',
  'etc/securetty': 'tty1\nttyS0\nttyAMA0\nhvc0\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
  'etc/profile': "export PATH=/bin HOME\nPS1='\\u@\\h:\\w\\$ '\n",
  'etc/issue': `
tiny, a small guest for trying things out (Debian kernel \\r, busybox)
Log in as tiny or root, password tiny. It is known to all: console only, ssh takes keys alone.
Everything is in memory except /data, which outlives a restart.

`,
  // Scripts that users bring often ask for bash; this shell understands most of them.
  'bin/bash': '#!/bin/sh\nexec /bin/sh "$@"\n',
}

/** Empty directories that the scripts and programs expect. `sbin` and `usr` are links to `bin`. */
export const rootDirectories: Readonly<Record<string, number>> = {
  bin: 0o755,
  data: 0o755,
  dev: 0o755,
  etc: 0o755,
  'etc/acpi': 0o755,
  'etc/acpi/PWRF': 0o755,
  'etc/tiny': 0o755,
  home: 0o755,
  'home/tiny': 0o755,
  lib: 0o755,
  mnt: 0o755,
  proc: 0o755,
  root: 0o700,
  run: 0o755,
  sys: 0o755,
  tmp: 0o1777,
  usr: 0o755,
  var: 0o755,
  'var/log': 0o755,
}

export const rootLinks: Readonly<Record<string, string>> = {
  sbin: 'bin',
  'usr/bin': '../bin',
  'usr/sbin': '../bin',
  'usr/lib': '../lib',
  'var/run': '../run',
}
