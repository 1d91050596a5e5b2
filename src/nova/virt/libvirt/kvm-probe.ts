/**
 * Whether KVM runs guests here: proven by running one. `/dev/kvm` opens and libvirt lists KVM also on hosts, mostly nested ones, where
 * guests hang or crawl.
 *
 * The probe guest is a boot sector that makes 50,000 exits to the hypervisor and then writes to QEMU's debug-exit port, which ends QEMU
 * with status 33. A sound KVM needs a fraction of a second. The answer is remembered for kernel and processor; a no only until the next
 * boot, since a busy moment can be its cause.
 *
 * @see https://www.qemu.org/docs/master/system/devices/
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'

export type KvmAnswer = { readonly works: boolean; readonly why: string }

const deadlineMs = 3_000
const debugExitStatus = 33

/**
 * mov cx, 50000 · again: out 0x80, al · loop again · mov al, 16 · out 0xf4, al · hlt
 * (the status is `value × 2 + 1`)
 */
const program = [0xb9, 0x50, 0xc3, 0xe6, 0x80, 0xe2, 0xfc, 0xb0, 0x10, 0xe6, 0xf4, 0xf4]

function bootSector(): Buffer {
  const sector = Buffer.alloc(512)
  sector.set(program)
  sector.set([0x55, 0xaa], 510)
  return sector
}

/** Runs the probe guest. @returns how it ended, and whether it proved the accelerator */
export async function runProbeGuest(emulator: string, accelerator: 'kvm' | 'tcg', limitMs = deadlineMs): Promise<KvmAnswer> {
  const dir = await mkdtemp(join(tmpdir(), 'minicloud-kvm-'))
  try {
    const image = join(dir, 'boot.img')
    await writeFile(image, bootSector())
    const args = [
      ...['-accel', accelerator, '-machine', 'pc', '-m', '16', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x01', '-drive', `file=${image},format=raw,if=floppy`],
    ]
    return await new Promise<KvmAnswer>((resolve) => {
      const child = spawn(emulator, args, { stdio: 'ignore' })
      let late = false
      const timer = setTimeout(() => {
        late = true
        child.kill('SIGKILL')
      }, limitMs)
      child.once('error', (error) => {
        clearTimeout(timer)
        resolve({ works: false, why: `${emulator} cannot be run: ${error.message}` })
      })
      child.once('exit', (code) => {
        clearTimeout(timer)
        if (late) resolve({ works: false, why: `a probe guest was not done after ${limitMs} ms` })
        else if (code === debugExitStatus) resolve({ works: true, why: 'a probe guest ran' })
        else resolve({ works: false, why: `a probe guest ended with status ${code}` })
      })
    })
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** @param memory the file that remembers the answer */
export async function probeKvm({ emulator, memory }: { emulator: string; memory: string }): Promise<KvmAnswer> {
  if (process.arch !== 'x64') return { works: false, why: 'there is a probe guest for x86-64 only; [libvirt] virt_type = kvm overrides' }
  const open = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!open) return { works: false, why: '/dev/kvm cannot be opened' }
  const key = `${release()} ${cpus()[0]?.model ?? ''} ${emulator}`
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
  try {
    const known = JSON.parse(await readFile(memory, 'utf8')) as Partial<KvmAnswer & { key: string; boot: string }>
    if (known.key === key && (known.works || known.boot === boot)) return { works: known.works === true, why: String(known.why) }
  } catch {
    // Nothing is known yet.
  }
  const answer = await runProbeGuest(emulator, 'kvm')
  await writeFile(`${memory}.new`, JSON.stringify({ key, boot, ...answer }), { mode: 0o600 })
  await rename(`${memory}.new`, memory)
  return answer
}
