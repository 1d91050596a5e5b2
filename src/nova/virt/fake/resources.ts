/** What a fake host says that it has. */
import type { FakeConfig } from '../config.ts'
import type { HostResources } from '../driver.ts'
import type { FakeGuest } from './guests.ts'

const traits = [
  'COMPUTE_ARCH_X86_64',
  'COMPUTE_DEVICE_TAGGING',
  'COMPUTE_FIRMWARE_BIOS',
  'COMPUTE_GRAPHICS_MODEL_VGA',
  'COMPUTE_GRAPHICS_MODEL_VIRTIO',
  'COMPUTE_IMAGE_TYPE_ISO',
  'COMPUTE_IMAGE_TYPE_QCOW2',
  'COMPUTE_IMAGE_TYPE_RAW',
  'COMPUTE_NET_ATTACH_INTERFACE',
  'COMPUTE_NET_VIF_MODEL_VIRTIO',
  'COMPUTE_NODE',
  'COMPUTE_STORAGE_BUS_VIRTIO',
  'HW_CPU_X86_SSE',
  'HW_CPU_X86_SSE2',
]

export function fakeResources(host: string, config: FakeConfig, guests: readonly FakeGuest[], nowMs: number): HostResources {
  const sum = (of: (guest: FakeGuest) => number) => guests.reduce((total, guest) => total + of(guest), 0)
  const diskUsedGib = sum((guest) => guest.diskGib)
  return {
    hypervisorHostname: host,
    hypervisorType: 'fake',
    hypervisorVersion: 1000,
    vcpus: config.vcpus,
    memoryMib: config.memoryMb,
    diskGib: config.localGb,
    memoryUsedMib: sum((guest) => guest.memoryMib),
    diskUsedGib,
    diskAvailableLeastGib: Math.max(0, config.localGb - diskUsedGib),
    hostIp: '127.0.0.1',
    cpuInfo: {
      arch: 'x86_64',
      model: 'Nehalem',
      vendor: 'Intel',
      features: ['clflush', 'pge', 'sse', 'sse2'],
      topology: { cells: 1, sockets: config.vcpus, cores: 1, threads: 1 },
    },
    supportedInstances: [['x86_64', 'fake', 'hvm']],
    traits,
    uptime: uptimeText(nowMs),
  }
}

/** In the form of uptime(1), which Nova passes on as it is. */
const uptimeText = (nowMs: number): string =>
  ` ${new Date(nowMs).toISOString().slice(11, 19)} up 1 day,  0:00,  0 users,  load average: 0.00, 0.00, 0.00`
