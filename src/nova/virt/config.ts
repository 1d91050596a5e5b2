/**
 * Options of the hypervisor drivers. `[libvirt]` is nova.conf's; `[fake]` is minicloud's own.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/config.html#libvirt
 */
import { bool, choice, float, int, list, many, type SectionValues, section, text } from '../../base/config/index.ts'

export const fakeConfig = section('fake', {
  hosts: int({ default: 1, min: 1, max: 1000, doc: 'How many pretended compute hosts there are.' }),
  vcpus: int({ default: 1000, min: 1, doc: 'Processors of each host.' }),
  memoryMb: int({ default: 800_000, min: 1, doc: 'Memory of each host, MiB.' }),
  localGb: int({ default: 600_000, min: 0, doc: 'Disk of each host, GiB.' }),
  cpuLimitRatio: float({
    default: 16,
    min: 0.1,
    doc: 'A host refuses guests beyond this multiple of its processors, whatever the scheduler says.',
  }),
  memoryLimitRatio: float({ default: 1.5, min: 0.1, doc: 'The same for memory.' }),
  diskLimitRatio: float({ default: 1, min: 0.1, doc: 'The same for disk.' }),
  bootDelayMs: int({ default: 0, min: 0, doc: 'How long a guest takes to start.' }),
  shutdownDelayMs: int({ default: 0, min: 0, doc: 'How long a guest takes to shut down when it is asked to.' }),
  operationDelayMs: int({ default: 0, min: 0, doc: 'How long every other action on a guest takes.' }),
  liveMigrationDelayMs: int({ default: 0, min: 0, doc: 'How long a guest is copied when it moves to another host while it runs.' }),
  storage: choice(['any', 'local', 'shared'], {
    default: 'any',
    doc: 'Where the disks of guests are: local ones are copied when a guest moves, shared ones are not; any is as a request needs it.',
  }),
  fail: list({
    default: [],
    doc: 'Actions that fail: action[:times][:reason], such as `spawn:once` or `power_off:always:host-down`.',
  }),
})
export type FakeConfig = SectionValues<typeof fakeConfig>

export const libvirtConfig = section('libvirt', {
  virtType: choice(['auto', 'kvm', 'qemu'], {
    default: 'auto',
    doc: 'auto takes kvm where a probe guest proves it, else qemu (emulation).',
  }),
  connectionUri: text({ default: '', doc: 'The libvirt daemon; by default qemu:///system.' }),
  cpuMode: choice(['auto', 'host-model', 'host-passthrough', 'maximum', 'custom', 'none'], {
    default: 'auto',
    doc: 'What processor guests see; auto is host-model under kvm and none under qemu.',
  }),
  cpuModels: list({ default: [], doc: 'The named model, the first that is given, when cpu_mode is custom.' }),
  hwMachineType: list({ default: [], doc: 'Default machine types, arch=type.' }),
  diskCachemodes: list({ default: [], doc: 'Cache modes of disks, type=mode; file= is for local disks.' }),
  hwDiskDiscard: choice(['ignore', 'unmap'], { default: 'unmap', doc: 'Whether a guest can give back space of its disks.' }),
  numPciePorts: int({ default: 0, min: 0, max: 28, doc: 'PCIe ports of a guest, for hot-plug; 0 makes 12.' }),
  maxQueues: int({
    default: 0,
    min: 0,
    max: 256,
    doc: 'Queues of an interface at most, where a guest may have several; 0: as many as processors, up to 256.',
  }),
  rngDevPath: text({ default: '/dev/urandom', doc: 'Where guests get entropy from.' }),
  tbCacheSize: int({ default: 32, min: 0, max: 4096, doc: "MiB of a guest's translation cache under emulation; 0 leaves it to QEMU." }),
})
const commands = many({
  default: [],
  doc: 'os_type=command: what formats ephemeral disks of such guests instead, with %(fs_label)s and %(target)s among its words; default= is for all others. No shell reads it.',
})
/** @see https://docs.openstack.org/nova/latest/configuration/config.html#DEFAULT.virt_mkfs */
export const ephemeralConfig = section('DEFAULT', {
  defaultEphemeralFormat: choice(['', 'ext2', 'ext3', 'ext4', 'xfs', 'vfat', 'ntfs'], {
    default: '',
    doc: 'The file system of ephemeral disks; empty: ext4 where the image says os_type=linux, ntfs where it says windows, else vfat.',
  }),
  virtMkfs: {
    ...commands,
    parse: (value: string) => {
      const entries = commands.parse(value)
      for (const entry of entries) if (!/^[^=\s]+=\s*\S/.test(entry)) throw new Error(`expected os_type=command, got "${entry}"`)
      return entries
    },
  },
})
export type EphemeralConfig = SectionValues<typeof ephemeralConfig>

/** Consoles by SPICE; of the URLs, the console room makes use. */
export const spiceConfig = section('spice', {
  enabled: bool({ default: false, doc: 'Give new guests a screen by SPICE, beside VNC.' }),
  agentEnabled: bool({ default: true, doc: "Give them the channel of SPICE's agent too." }),
  serverListen: text({
    default: '',
    doc: 'The address, such as 127.0.0.1, at which guests open a port for spice-direct; empty: a UNIX socket, for the page alone.',
  }),
  html5proxyBaseUrl: text({
    default: '',
    doc: "The console page's URL as users reach it; empty: under the address at which the request came in.",
  }),
  spiceDirectProxyBaseUrl: text({
    default: 'http://127.0.0.1:13002/nova',
    doc: "The URL of somebody's proxy for spice-direct, which asks os-console-auth-tokens where the guest's port is.",
  }),
})
export type SpiceConfig = SectionValues<typeof spiceConfig>

export type LibvirtConfig = SectionValues<typeof libvirtConfig>
