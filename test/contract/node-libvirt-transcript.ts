/**
 * A guest's life with every mistake that one can make about it, written down: what each call said, then what was heard.
 * The mock daemon and QEMU under libvirtd are to write the same.
 *
 * Left out is what depends on who is quicker: whether an event comes before the answer, and QEMU's last word when it is killed.
 */
import {
  type Connection,
  DeviceModifyFlags,
  type Domain,
  type DomainEvent,
  DomainEventType,
  LibvirtError,
  StartFlags,
  UndefineFlags,
} from '../../src/node-libvirt/index.ts'

const { live, config } = DeviceModifyFlags

/** @param guest domain XML by name, with one disk `vda` and no network card @param file a disk image that is there */
export async function transcript(connection: Connection, guest: (name: string, extra?: string) => string, file: string): Promise<string[]> {
  const lines: string[] = []
  const heard: string[] = []
  const stop = connection.onEvent((event) => {
    if (isCertain(event)) heard.push(describeEvent(event))
  })
  await connection.eventsReady()
  const step = async <T>(name: string, run: () => Promise<T>): Promise<T | undefined> => {
    try {
      const value = await run()
      lines.push(`${name}: ${value === undefined || value instanceof Object ? 'ok' : String(value)}`)
      return value
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error
      lines.push(`${name}: ${error.codeName}`)
      return undefined
    }
  }
  const state = async (vm: Domain) => {
    const { state, reason } = await vm.state()
    return `${state}/${reason}`
  }
  const disk = (target: string) =>
    `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${file}'/><target dev='${target}' bus='virtio'/></disk>`

  const vm = (await step('define', () => connection.defineXml(guest('t')))) as Domain
  await step('define again', () => connection.defineXml(guest('t', `<uuid>${vm.uuid}</uuid>`)))
  await step('define a namesake', () => connection.defineXml(guest('t', '<uuid>11111111-2222-4333-8444-555555555555</uuid>')))
  await step('define under another name', () => connection.defineXml(guest('other', `<uuid>${vm.uuid}</uuid>`)))
  await step('define nonsense', () => connection.defineXml('<domain'))
  await step('define a network', () => connection.defineXml('<network/>'))
  await step('state', () => state(vm))
  await step('destroy what is off', () => vm.destroy())
  await step('shut down what is off', () => vm.shutdown())
  await step('suspend what is off', () => vm.suspend())
  await step('save what is off', () => vm.managedSave())
  await step('attach live to what is off', () => vm.attachDevice(disk('vdb'), live))
  await step('detach a disk that is not configured', () => vm.detachDevice(disk('vdc'), config))
  await step('start', () => vm.start())
  await step('state', () => state(vm))
  await step('start what runs', () => vm.start())
  await step('resume what runs', () => vm.resume())
  await step('suspend', () => vm.suspend())
  await step('suspend again', () => vm.suspend())
  await step('state', () => state(vm))
  await step('resume', () => vm.resume())
  await step('state', () => state(vm))
  await step('attach', () => vm.attachDevice(disk('vdb'), live | config))
  await step('attach again live', () => vm.attachDevice(disk('vdb'), live))
  await step('attach again config', () => vm.attachDevice(disk('vdb'), config))
  await step('detach a disk that is not there', () => vm.detachDevice(disk('vdc'), live))
  await step('detach a card that is not there', () =>
    vm.detachDevice("<interface type='user'><mac address='52:54:00:00:00:09'/></interface>", live),
  )
  await step('detach an alias that is not there', () => vm.detachDeviceAlias('net7', live))
  await step('attach nonsense', () => vm.attachDevice('<disk', live))
  await step('detach from the configuration', () => vm.detachDevice(disk('vdb'), config))
  await step('info of a disk that is not there', () => vm.blockInfo('vdz'))
  await step('resize a disk that is not there', () => vm.blockResize('vdz', 1024, 0))
  await step('abort a job that is not there', () => vm.blockJobs.abort('vda'))
  await step('info of a job that is not there', () => vm.blockJobs.info('vda'))
  await step('a snapshot that is not there', () => vm.snapshot('none'))
  await step('metadata that is not there', () => vm.metadata(2, 'urn:none'))
  await step('destroy', () => vm.destroy())
  await step('state', () => state(vm))
  await step('start paused', () => vm.start(StartFlags.paused))
  await step('state', () => state(vm))
  await step('resume', () => vm.resume())
  await step('save', () => vm.managedSave())
  await step('state', () => state(vm))
  await step('has a save', () => vm.hasManagedSave())
  await step('undefine with a save', () => vm.undefine())
  await step('start from the save', () => vm.start())
  await step('state', () => state(vm))
  await step('has a save', () => vm.hasManagedSave())
  await step('undefine what runs', () => vm.undefine())
  await step('persistent', () => vm.isPersistent())
  await step('configure the transient', () => vm.setAutostart(true))
  await step('save the transient', () => vm.managedSave())
  await step('attach to its configuration', () => vm.attachDevice(disk('vdb'), config))
  await step('destroy', () => vm.destroy())
  await step('state', () => state(vm))
  await step('find by name', () => connection.lookupByName('t'))
  const transient = (await step('create', () => connection.createXml(guest('u'), StartFlags.paused))) as Domain
  await step('create again', () => connection.createXml(guest('u', `<uuid>${transient.uuid}</uuid>`)))
  await step('undefine the transient', () => transient.undefine(UndefineFlags.managedSave))
  await step('destroy', () => transient.destroy())
  await step('find by uuid', () => connection.lookupByUuid(transient.uuid))
  const last = `lifecycle u ${JSON.stringify({ event: DomainEventType.stopped, detail: 1 })}`
  for (let i = 0; i < 1000 && heard.at(-1) !== last; i++) await connection.hostname()
  stop()
  return [...lines, ...heard]
}

function isCertain(event: DomainEvent): boolean {
  if (event.kind === 'migration-iteration' || event.kind === 'job-completed') return false
  return event.kind !== 'lifecycle' || event.event !== DomainEventType.shutdown
}

function describeEvent(event: DomainEvent): string {
  const { kind, domain, ...rest } = event
  return `${kind} ${domain.name} ${JSON.stringify(rest)}`
}
