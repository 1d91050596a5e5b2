/**
 * What the host has, for placement and the hypervisors API.
 *
 * The processor's features are the machine's under KVM, and what QEMU's default processor has under emulation.
 *
 * @see https://docs.openstack.org/os-traits/latest/reference/
 */
import { readFile, statfs } from 'node:fs/promises'
import { loadavg, uptime } from 'node:os'
import type { Connection } from '../../../node-libvirt/index.ts'
import type { HostResources } from '../driver.ts'
import { type Host, uefiFirmware } from './host.ts'

const gib = 1024 ** 3

/** The kernel's names of processor features whose trait is `HW_CPU_X86_` and another name. */
const traitNames: Record<string, string> = {
  abm: 'ABM',
  aes: 'AESNI',
  avx: 'AVX',
  avx2: 'AVX2',
  avx512bw: 'AVX512BW',
  avx512cd: 'AVX512CD',
  avx512dq: 'AVX512DQ',
  avx512f: 'AVX512F',
  avx512vl: 'AVX512VL',
  bmi1: 'BMI',
  bmi2: 'BMI2',
  f16c: 'F16C',
  fma: 'FMA3',
  fma4: 'FMA4',
  mmx: 'MMX',
  pclmulqdq: 'CLMUL',
  pni: 'SSE3',
  sha_ni: 'SHA',
  sse: 'SSE',
  sse2: 'SSE2',
  sse4_1: 'SSE41',
  sse4_2: 'SSE42',
  sse4a: 'SSE4A',
  ssse3: 'SSSE3',
  svm: 'SVM',
  tbm: 'TBM',
  vmx: 'VMX',
  xop: 'XOP',
}
const emulatedFeatures = ['mmx', 'sse', 'sse2', 'pni']

const deviceTraits = [
  'COMPUTE_DEVICE_TAGGING',
  'COMPUTE_GRAPHICS_MODEL_CIRRUS',
  'COMPUTE_GRAPHICS_MODEL_NONE',
  'COMPUTE_GRAPHICS_MODEL_VGA',
  'COMPUTE_GRAPHICS_MODEL_VIRTIO',
  'COMPUTE_IMAGE_TYPE_ISO',
  'COMPUTE_IMAGE_TYPE_QCOW2',
  'COMPUTE_IMAGE_TYPE_RAW',
  'COMPUTE_NET_ATTACH_INTERFACE',
  'COMPUTE_NET_VIF_MODEL_E1000',
  'COMPUTE_NET_VIF_MODEL_E1000E',
  'COMPUTE_NET_VIF_MODEL_RTL8139',
  'COMPUTE_NET_VIF_MODEL_VIRTIO',
  'COMPUTE_NODE',
  'COMPUTE_STORAGE_BUS_SATA',
  'COMPUTE_STORAGE_BUS_SCSI',
  'COMPUTE_STORAGE_BUS_USB',
  'COMPUTE_STORAGE_BUS_VIRTIO',
  'COMPUTE_USB_MODEL_QEMU_XHCI',
]

export async function readResources(
  connection: Connection,
  host: Host,
  about: { host: string; hostIp: string; instancesDir: string },
): Promise<HostResources> {
  const [node, version, memory, disk, flags] = await Promise.all([
    connection.nodeInfo(),
    connection.version(),
    connection.nodeMemoryStats().catch(() => ({}) as Record<string, number>),
    statfs(about.instancesDir),
    cpuFlags(host),
  ])
  const idleKib = (memory.free ?? 0) + (memory.buffers ?? 0) + (memory.cached ?? 0)
  const diskBytes = disk.blocks * disk.bsize
  const freeBytes = disk.bavail * disk.bsize
  const { arch, cpu } = host.facts
  const hypervisor = host.domainType === 'kvm' ? 'kvm' : host.domainType
  return {
    hypervisorHostname: about.host,
    hypervisorType: 'QEMU',
    hypervisorVersion: version,
    vcpus: node.cpus,
    memoryMib: Math.floor(node.memoryKib / 1024),
    diskGib: Math.floor(diskBytes / gib),
    memoryUsedMib: memory.total === undefined ? 0 : Math.max(0, Math.floor((memory.total - idleKib) / 1024)),
    diskUsedGib: Math.floor((diskBytes - disk.bfree * disk.bsize) / gib),
    diskAvailableLeastGib: Math.floor(freeBytes / gib),
    hostIp: about.hostIp,
    cpuInfo: { arch, model: cpu.model, vendor: cpu.vendor, features: [...cpu.features].sort(), topology: cpu.topology },
    supportedInstances:
      hypervisor === 'kvm'
        ? [
            [arch, 'kvm', 'hvm'],
            [arch, 'qemu', 'hvm'],
          ]
        : [[arch, hypervisor, 'hvm']],
    traits: [
      ...deviceTraits,
      ...(arch === 'x86_64' ? ['COMPUTE_ARCH_X86_64', 'HW_ARCH_X86_64'] : ['COMPUTE_ARCH_AARCH64', 'HW_ARCH_AARCH64']),
      'COMPUTE_FIRMWARE_BIOS',
      ...(uefiFirmware(arch) ? ['COMPUTE_FIRMWARE_UEFI'] : []),
      ...(arch === 'x86_64' ? flags.flatMap((flag) => (traitNames[flag] ? [`HW_CPU_X86_${traitNames[flag]}`] : [])) : []),
    ].sort(),
    uptime: uptimeText(new Date()),
  }
}

async function cpuFlags(host: Host): Promise<string[]> {
  if (host.domainType !== 'kvm') return emulatedFeatures
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return /^flags\s*:\s*(.*)$/m.exec(text)?.[1]?.split(' ') ?? []
}

/** In the form of uptime(1), which Nova passes on as it is. */
function uptimeText(now: Date): string {
  const seconds = uptime()
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  const load = loadavg().map((each) => each.toFixed(2))
  const since = `${days > 0 ? `${days} day${days === 1 ? '' : 's'}, ` : ''}${hours}:${String(minutes).padStart(2, '0')}`
  return ` ${now.toISOString().slice(11, 19)} up ${since},  0 users,  load average: ${load.join(', ')}`
}
