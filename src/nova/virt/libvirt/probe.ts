/**
 * Whether libvirt here is fit to run guests: a daemon answers, knows an emulator, and starts a domain. For `--driver auto` and `doctor`.
 *
 * The probe's domain is transient, has no disk and never runs an instruction. It takes a second or two, so that a yes is remembered
 * until the host boots again or has another libvirt or QEMU.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { messageOf } from '../../../base/errors.ts'
import { type Connection, connect, StartFlags } from '../../../node-libvirt/index.ts'
import type { Problem } from './access.ts'
import { missingFormatters } from './file-systems.ts'
import { readCapabilities } from './host-facts.ts'
import { el } from './xml.ts'

export type LibvirtProbe = { readonly ok: boolean; readonly problems: readonly Problem[] }

const run = promisify(execFile)
const connectMs = 5_000
/** The first start of a new QEMU makes libvirt ask it for all that it can. */
const startMs = 30_000

/**
 * Never throws: what is wrong is among the problems.
 * @param options.memory the file that remembers a proof; without one a domain is started each time
 */
export async function probeLibvirt({ uri, memory }: { uri: string; memory?: string }): Promise<LibvirtProbe> {
  const problems: Problem[] = []
  const tool = async (program: string, debianPackage: string) => {
    const found = await run(program, ['--version'], { timeout: connectMs }).then(
      () => true,
      () => false,
    )
    if (!found) problems.push({ what: `${program} is not installed`, remedy: `apt-get install ${debianPackage}` })
    return found
  }
  const hasTools = await tool('qemu-img', 'qemu-utils')
  await tool('xorriso', 'xorriso')
  problems.push(...(await missingFormatters()))
  let connection: Connection
  try {
    connection = await connect({ uri, connectTimeoutMs: connectMs, callTimeoutMs: startMs })
  } catch (error) {
    const remedy = 'apt-get install libvirt-daemon-system qemu-system, or start libvirtd; [libvirt] connection_uri names another'
    problems.push({ what: `libvirt at ${uri} does not answer: ${messageOf(error)}`, remedy })
    return { ok: false, problems }
  }
  try {
    const facts = readCapabilities(await connection.capabilities())
    const domainType = facts.domainTypes.find((type) => type === 'qemu' || type === 'test')
    if (!domainType) {
      problems.push({ what: `libvirt at ${uri} knows no QEMU for ${facts.arch}`, remedy: 'apt-get install qemu-system' })
      return { ok: false, problems }
    }
    const key = await keyOf(uri, connection)
    if (memory !== undefined && (await readFile(memory, 'utf8').catch(() => '')) === key) return { ok: hasTools, problems }
    const domain = await connection.createXml(probeDomain(domainType, facts.arch), StartFlags.paused | StartFlags.autodestroy)
    await domain.destroy()
    if (memory !== undefined) await remember(memory, key)
    return { ok: hasTools, problems }
  } catch (error) {
    problems.push({
      what: `libvirt at ${uri} could not start a guest: ${messageOf(error)}`,
      remedy: "see libvirt's and the guest's log below /var/log/libvirt",
    })
    return { ok: false, problems }
  } finally {
    await connection.close()
  }
}

async function keyOf(uri: string, connection: Connection): Promise<string> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
  return JSON.stringify({ uri, boot, libvirt: await connection.libVersion(), hypervisor: await connection.version() })
}

/** A proof that cannot be kept is found again at the next start. */
async function remember(memory: string, key: string): Promise<void> {
  const partial = `${memory}.new`
  await writeFile(partial, key, { mode: 0o600 })
    .then(() => rename(partial, memory))
    .catch(() => undefined)
}

const probeDomain = (type: string, arch: string): string =>
  el(
    'domain',
    { type },
    el('name', {}, `minicloud-probe-${randomUUID()}`),
    el('memory', { unit: 'MiB' }, 16),
    el('os', {}, el('type', { arch, machine: arch === 'x86_64' ? 'q35' : 'virt' }, 'hvm')),
    el('devices', {}, el('controller', { type: 'usb', model: 'none' }), el('memballoon', { model: 'none' })),
  ).xml
