/** The mock daemon's calls about domains: their life, devices and XML. */
import { ShutOffReason, StoppedDetail, XmlFlags } from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import type { DomainRef } from '../protocol.ts'
import { affected, aliasOf, deviceKey, devicesOf, findDevice, requireDevice, withAlias, withDevice, withoutDevice } from './devices.ts'
import type { CallContext, Handlers } from './handlers.ts'
import { invalid, type MockDomain } from './world.ts'
import { replaceChild, rootTag } from './xml.ts'

const found = (args: { domain: DomainRef }, { state }: CallContext): MockDomain => state.world.require(args.domain)
const running = (args: { domain: DomainRef }, { state }: CallContext): MockDomain => state.world.requireActive(args.domain)

export const domainHandlers: Handlers = {
  domainDefineXmlFlags: ({ xml }, { state }) => ({ domain: state.world.define(xml).ref }),
  domainCreateXml: ({ xml, flags }, { state }) => ({ domain: state.world.createTransient(xml, flags).ref }),
  domainLookupByUuid: ({ uuid }, { state }) => ({ domain: state.world.require({ uuid, name: '' }).ref }),
  domainLookupByName: ({ name }, { state }) => ({ domain: lookup(state.world.domains, `name '${name}'`, (d) => d.name === name) }),
  domainLookupById: ({ id }, { state }) => ({ domain: lookup(state.world.domains, `id ${id}`, (d) => d.active && d.id === id) }),
  domainCreateWithFlags: (args, context) => {
    const domain = found(args, context)
    context.state.world.start(domain, args.flags)
    return { domain: domain.ref }
  },
  domainShutdownFlags: (args, context) => {
    const domain = running(args, context)
    if (!context.state.guests.ignoreShutdown) context.state.world.shutdown(domain)
  },
  domainReboot: (args, context) => {
    context.state.world.emit({ kind: 'reboot', domain: running(args, context).ref })
  },
  domainReset: (args, context) => {
    context.state.world.emit({ kind: 'reboot', domain: running(args, context).ref })
  },
  domainSuspend: (args, context) => context.state.world.suspend(running(args, context)),
  domainResume: (args, context) => context.state.world.resume(running(args, context)),
  domainDestroyFlags: (args, context) => context.state.world.stop(running(args, context), ShutOffReason.destroyed, StoppedDetail.destroyed),
  domainUndefineFlags: (args, context) => context.state.world.undefine(found(args, context), args.flags),
  domainManagedSave: (args, context) => context.state.world.save(running(args, context)),
  domainHasManagedSaveImage: (args, context) => ({ result: found(args, context).managedSave }),
  domainManagedSaveRemove: (args, context) => {
    found(args, context).managedSave = false
  },
  domainIsActive: (args, context) => ({ active: found(args, context).active }),
  domainIsPersistent: (args, context) => ({ persistent: found(args, context).persistent }),
  domainGetState: (args, context) => {
    const { state, reason } = found(args, context)
    return { state, reason }
  },
  domainGetInfo: (args, context) => {
    const { state, maxMemoryKib, memoryKib, vcpus } = found(args, context)
    return { state, maxMemoryKib, memoryKib, vcpus, cpuTimeNs: 0 }
  },
  domainGetXmlDesc: (args, context) => {
    const domain = found(args, context)
    if (args.flags & XmlFlags.inactive) return { xml: domain.configXml ?? domain.xml }
    return { xml: domain.active ? withAgentState(domain.xml, context.state.guests.agent !== undefined) : domain.xml }
  },
  domainGetAutostart: (args, context) => ({ autostart: found(args, context).autostart }),
  domainSetAutostart: (args, context) => {
    const domain = found(args, context)
    if (!domain.persistent) throw invalid('cannot set autostart for transient domain')
    domain.autostart = args.autostart
  },
  domainGetVcpusFlags: (args, context) => ({ count: found(args, context).vcpus }),
  domainSetVcpusFlags: (args, context) => {
    found(args, context).vcpus = args.vcpus
  },
  domainSetMemoryFlags: (args, context) => {
    found(args, context).memoryKib = args.memoryKib
  },
  domainGetVcpus: (args, context) => {
    const { vcpus } = running(args, context)
    const list = Array.from({ length: Math.min(vcpus, args.max) }, (_, number) => ({ number, state: 1, cpuTimeNs: 0, cpu: 0 }))
    return { vcpus: list, maps: Buffer.alloc(0) }
  },
  domainAttachDeviceFlags: (args, context) => {
    const domain = found(args, context)
    const tag = deviceTag(args.xml)
    change(domain, args.flags, (xml, live) => withDevice(xml, live ? withAlias(args.xml, tag, countOf(xml, tag)) : args.xml, live))
    const added = domain.liveXml && findDevice(domain.liveXml, deviceKey(args.xml))
    if (added) context.state.world.emit({ kind: 'device-added', domain: domain.ref, device: aliasOf(added.text) ?? '' })
  },
  domainUpdateDeviceFlags: (args, context) => {
    deviceTag(args.xml)
    change(found(args, context), args.flags, (xml) => {
      const old = requireDevice(xml, deviceKey(args.xml)).text
      const alias = aliasOf(old)
      const tag = rootTag(args.xml) ?? ''
      return replaceChild(xml, old, alias === undefined ? args.xml : withAlias(args.xml, tag, Number(/\d+$/.exec(alias)?.[0] ?? 0)))
    })
  },
  domainDetachDeviceFlags: (args, context) => {
    deviceTag(args.xml)
    detach(found(args, context), deviceKey(args.xml), args.flags, context)
  },
  domainDetachDeviceAlias: (args, context) => {
    const domain = found(args, context)
    const device = devicesOf(domain.xml).find(({ text }) => aliasOf(text) === args.alias)
    if (!device) throw new LibvirtError(ErrorCode.INTERNAL_ERROR, `internal error: no device with alias ${args.alias}`, 10)
    detach(domain, deviceKey(device.text), args.flags, context)
  },
}

/** A running domain tells whether its agent has opened its channel. */
const withAgentState = (xml: string, connected: boolean): string =>
  xml.replace(/(<target [^>]*name=["']org\.qemu\.guest_agent\.0["'])/, `$1 state='${connected ? '' : 'dis'}connected'`)

function lookup(domains: Map<string, MockDomain>, what: string, matches: (domain: MockDomain) => boolean): DomainRef {
  for (const domain of domains.values()) if (matches(domain)) return domain.ref
  throw new LibvirtError(ErrorCode.NO_DOMAIN, `Domain not found: no domain with matching ${what}`, 10)
}

function deviceTag(xml: string): string {
  const tag = rootTag(xml)
  if (tag === undefined) throw new LibvirtError(ErrorCode.XML_DETAIL, '(device_definition): XML document failed to parse', 20)
  return tag
}

function countOf(xml: string, tag: string): number {
  return devicesOf(xml).filter((device) => device.tag === tag).length
}

/** Both texts are made before either is kept, so that a refusal leaves nothing half done. */
function change(domain: MockDomain, flags: number, edit: (xml: string, live: boolean) => string): void {
  const { live, config } = affected(flags, domain)
  const configXml = config ? edit(domain.configXml ?? '', false) : domain.configXml
  const liveXml = live ? edit(domain.liveXml ?? '', true) : domain.liveXml
  domain.configXml = configXml
  domain.liveXml = liveXml
}

function detach(domain: MockDomain, key: string, flags: number, { state }: CallContext): void {
  const { live, config } = affected(flags, domain)
  const device = live ? requireDevice(domain.liveXml ?? '', key).text : ''
  if (config) domain.configXml = withoutDevice(domain.configXml ?? '', key)
  if (!live || state.guests.keepDevices) return
  domain.liveXml = withoutDevice(domain.liveXml ?? '', key)
  state.world.emit({ kind: 'device-removed', domain: domain.ref, device: aliasOf(device) ?? '' })
}
