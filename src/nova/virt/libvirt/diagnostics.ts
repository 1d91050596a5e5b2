/** What QEMU counts of a running guest, and what can be done to it from outside: an interrupt, and a password through its agent. */
import { stat } from 'node:fs/promises'
import type { Clock } from '../../../base/clock.ts'
import { type Domain, StatsTypes } from '../../../node-libvirt/index.ts'
import { type GuestDiagnostics, GuestError } from '../driver.ts'
import { childOf, disksOf, fileOf, macOf, nicsOf, parseElement, targetOf } from './definition.ts'
import { isLibvirt } from './errors.ts'

/**
 * @param paths the serial socket is as old as the guest's process
 * @throws {GuestError} wrong-state when the guest is off
 */
export async function diagnose(
  domain: Domain,
  paths: { serialSocket: string; configDrive: string },
  clock: Clock,
): Promise<GuestDiagnostics> {
  await checkActive(domain)
  const { cpuTotal, vcpu, interface: nic, block } = StatsTypes
  const [params, info, xml, born] = await Promise.all([
    domain.stats(cpuTotal | vcpu | nic | block),
    domain.info(),
    domain.xml(),
    stat(paths.serialSocket).catch(() => null),
  ])
  const values = new Map(params.map(({ name, value }) => [name, value]))
  const definition = parseElement(xml)
  /** The prefix of a device's counters. Those that QEMU doesn't keep are missing, or -1. */
  const at = (group: 'net' | 'block', name: string) => {
    const index = Array.from({ length: Number(values.get(`${group}.count`) ?? 0) }, (_, i) => i)
    return `${group}.${index.find((i) => values.get(`${group}.${i}.name`) === name)}`
  }
  const number = (name: string) => Math.max(0, Number(values.get(name) ?? 0))
  return {
    uptimeSeconds: born ? Math.max(0, Math.floor((clock.now() - born.mtimeMs) / 1000)) : null,
    cpus: Array.from({ length: info.vcpus }, (_, id) => {
      const time = values.get(`vcpu.${id}.time`)
      return { id, timeNs: time === undefined ? null : Number(time), utilisationPercent: null }
    }),
    nics: nicsOf(definition).map((nic) => {
      const counted = at('net', childOf(nic, 'target')?.attributes.dev ?? '')
      return {
        mac: macOf(nic),
        rxBytes: number(`${counted}.rx.bytes`),
        rxPackets: number(`${counted}.rx.pkts`),
        rxErrors: number(`${counted}.rx.errs`),
        rxDropped: number(`${counted}.rx.drop`),
        txBytes: number(`${counted}.tx.bytes`),
        txPackets: number(`${counted}.tx.pkts`),
        txErrors: number(`${counted}.tx.errs`),
        txDropped: number(`${counted}.tx.drop`),
      }
    }),
    disks: disksOf(definition).map((disk) => {
      const counted = at('block', targetOf(disk))
      return {
        device: targetOf(disk),
        readBytes: number(`${counted}.rd.bytes`),
        readRequests: number(`${counted}.rd.reqs`),
        writeBytes: number(`${counted}.wr.bytes`),
        writeRequests: number(`${counted}.wr.reqs`),
        errors: number(`${counted}.errors`),
      }
    }),
    memory: { maximumMib: Math.floor(info.maxMemoryKib / 1024), usedMib: Math.floor(info.memoryKib / 1024) },
    hasConfigDrive: disksOf(definition).some((disk) => fileOf(disk) === paths.configDrive),
  }
}

/** @throws {GuestError} wrong-state when the guest is off or no agent answers; `failed` when the agent refuses */
export async function setGuestPassword(domain: Domain, user: string, password: string): Promise<void> {
  await checkActive(domain)
  try {
    await domain.setUserPassword(user, password)
  } catch (cause) {
    if (!isLibvirt(cause, 'AGENT_UNRESPONSIVE', 'AGENT_UNSYNCED', 'ARGUMENT_UNSUPPORTED', 'CONFIG_UNSUPPORTED')) throw cause
    throw new GuestError(domain.uuid, 'wrong-state', `no agent answers in guest ${domain.uuid}`, { cause })
  }
}

/** @throws {GuestError} wrong-state when the guest is off */
export async function injectNmi(domain: Domain): Promise<void> {
  await checkActive(domain)
  await domain.injectNmi()
}

async function checkActive(domain: Domain): Promise<void> {
  if (!(await domain.isActive())) throw new GuestError(domain.uuid, 'wrong-state', `guest ${domain.uuid} is not running`)
}
