/** `minicloud doctor`: tries what real guests need on this machine, and says for each problem what to do. */
import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { messageOf } from '../base/errors.ts'
import { libvirtUri } from '../drivers.ts'
import { loadTiny } from '../image/index.ts'
import { makeLinuxDriver } from '../network/drivers/index.ts'
import { loadLibvirt } from '../nova/virt/index.ts'
import { loadSettings, type Settings, type SettingsFlags } from './settings.ts'
import { out, outJson, paint, type Shell } from './shell.ts'

/** A `problem` keeps real guests from running; a `warning` makes them slower or fewer. */
type Finding = { about: string; status: 'ok' | 'warning' | 'problem'; what: string; remedy?: string }
type Trouble = { what: string; remedy: string }

const gib = 1024 ** 3
const scarceGib = 10
const wantedNode = 26

/** @returns the exit code: 1 when real guests cannot run here. @throws {ConfigError} */
export async function doctor(flags: SettingsFlags & { json?: boolean }, shell: Shell): Promise<number> {
  const settings = loadSettings(flags, shell)
  const checks = [checkNode, checkDisk, checkHypervisor, checkKvm, checkNetwork, checkTiny]
  const findings: Finding[] = []
  for (const check of checks) findings.push(...(await check(settings, shell)))
  const ok = findings.every(({ status }) => status !== 'problem')
  if (flags.json) outJson({ ok, findings })
  else report(findings, ok)
  return ok ? 0 : 1
}

const marks = { ok: paint('green', 'ok      '), warning: paint('yellow', 'warning '), problem: paint('red', 'problem ') }

function report(findings: readonly Finding[], ok: boolean): void {
  for (const { about, status, what, remedy } of findings) {
    out(`${marks[status]} ${about.padEnd(11)} ${what}`)
    if (remedy) out(`${' '.repeat(21)}→ ${remedy}`)
  }
  out(ok ? 'Real guests can run here.' : 'Real guests cannot run here; pretended ones can: minicloud serve --driver fake')
}

const troubles = (about: string, status: 'warning' | 'problem', list: readonly Trouble[]): Finding[] =>
  list.map(({ what, remedy }) => ({ about, status, what, remedy }))

async function checkNode(): Promise<Finding[]> {
  const { node } = process.versions
  if (Number.parseInt(node, 10) >= wantedNode) return [{ about: 'node', status: 'ok', what: `Node.js ${node}` }]
  return [{ about: 'node', status: 'problem', what: `Node.js ${node} is too old`, remedy: 'npm ci brings the right one' }]
}

async function checkDisk({ dataDir }: Settings): Promise<Finding[]> {
  const about = 'disk'
  const folder = await nearestFolder(dataDir)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    return [{ about, status: 'problem', what: messageOf(error), remedy: 'choose another --data-dir, or run as its owner' }]
  }
  const { bavail, bsize } = await statfs(folder)
  const freeGib = Math.floor((bavail * bsize) / gib)
  const what = `${freeGib} GiB free for ${dataDir}`
  if (freeGib >= scarceGib) return [{ about, status: 'ok', what }]
  return [{ about, status: 'warning', what, remedy: `images and guests want ${scarceGib} GiB: choose another --data-dir` }]
}

/** The data directory itself, or what it would be made in. */
async function nearestFolder(path: string): Promise<string> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  return exists || dirname(path) === path ? path : nearestFolder(dirname(path))
}

async function checkHypervisor({ config }: Settings): Promise<Finding[]> {
  const uri = libvirtUri(config)
  const { probeLibvirt } = await loadLibvirt()
  const { ok, problems } = await probeLibvirt({ uri })
  if (ok)
    return [{ about: 'hypervisor', status: 'ok', what: `libvirt at ${uri} starts guests` }, ...troubles('hypervisor', 'warning', problems)]
  return troubles('hypervisor', 'problem', problems)
}

async function checkKvm(): Promise<Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'minicloud-doctor-'))
  try {
    const { probeKvm } = await loadLibvirt()
    const { works, why } = await probeKvm({ emulator: 'qemu-system-x86_64', memory: join(folder, 'kvm.json') })
    if (works) return [{ about: 'kvm', status: 'ok', what: why }]
    const remedy = 'guests are emulated, which is slow: enable (nested) virtualisation, or give this machine /dev/kvm'
    return [{ about: 'kvm', status: 'warning', what: `KVM is not used: ${why}`, remedy }]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function checkNetwork(_settings: Settings, { self }: Shell): Promise<Finding[]> {
  const silent = { info() {}, warn() {}, error() {} }
  const driver = await makeLinuxDriver({
    cloudPrefix: 'mdoct',
    hostNamespace: null,
    childCommand: [...self, 'internal-listen'],
    log: silent,
  })
  try {
    const { ok, problems } = await driver.capabilities()
    if (!ok) return troubles('network', 'problem', problems)
    return [
      { about: 'network', status: 'ok', what: 'bridges, namespaces and rules can be made' },
      ...troubles('network', 'warning', problems),
    ]
  } finally {
    await driver.close()
  }
}

async function checkTiny(): Promise<Finding[]> {
  const { tinyPrerequisites } = await loadTiny()
  const { ok, missing } = await tinyPrerequisites()
  if (ok) return [{ about: 'image', status: 'ok', what: 'the image tiny can be built' }]
  return troubles('image', 'warning', missing)
}
