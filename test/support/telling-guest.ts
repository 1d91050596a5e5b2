/**
 * A guest that tells at every boot what it found: its memory, its root disk's size, and whose name was written first on that
 * disk. So what became of a disk is known from inside. It tells of its other disks and its interface's queues too.
 */
import { expect } from 'vitest'
import type { RealHost } from './real-host.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const gibSectors = 2 ** 21

/** Runs at every boot, since it takes away the sign that it ran: memory in kB, the disk in sectors. */
const script = `#!/bin/sh
rm -f /data/.tiny/user-data-done
[ -e /data/mark ] || echo "nobody" > /data/mark
echo "found memory=$(awk '/MemTotal/ { print $2 }' /proc/meminfo) disk=$(cat /sys/block/vda/size) mark=$(cat /data/mark)."
[ "$(cat /data/mark)" != nobody ] || hostname > /data/mark
for disk in /sys/block/vd[b-z]; do
  device=/dev/$(basename "$disk")
  swapon "$device" 2>/dev/null && echo "swap of $(($(cat "$disk/size") / 2048)) MiB on"
  mount -t vfat "$device" /mnt 2>/dev/null || continue
  [ ! -e /mnt/openstack ] && mount -o remount,rw /mnt && {
    echo "ephemeral of $(($(cat "$disk/size") / 2097152)) GiB, mark $(cat /mnt/mark 2>/dev/null || echo none)."
    hostname > /mnt/mark
  }
  umount /mnt
done
echo "queues $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)"
sync
`
/** For `POST /servers`. */
export const tellingUserData = Buffer.from(script).toString('base64')

/** `mark` is the name of the server that first booted from the disk, or `nobody`. */
export type Found = { memoryMib: number; diskGib: number; mark: string }

/** What the guest found at its latest boot, which is the `boot`th in its log. */
export async function booted(session: Session, id: string, boot: number): Promise<Found> {
  const log = await session.says(id, new RegExp(`(tiny: ready[^]*){${boot}}`))
  expect(log.split('tiny: ready').length - 1).toBe(boot)
  const found = [...log.matchAll(/found memory=(\d+) disk=(\d+) mark=([\w-]+)\./g)]
  expect(found, log).toHaveLength(boot)
  const [, memory, disk, mark = ''] = found.at(-1) ?? []
  return { memoryMib: Number(memory) / 1024, diskGib: Number(disk) / gibSectors, mark }
}

/** Waits until libvirt knows that the guest's agent is there, which it may hear of after the guest said that it is ready. */
export async function agentAnswers(host: RealHost, domain: string): Promise<void> {
  await until('an agent', () => /org\.qemu\.guest_agent\.0' state='connected'/.test(host.virsh('dumpxml', domain)))
}
