/** All that a mock daemon knows, and what its guests and its machine are like. Tests may change any of it at any time. */
import type { NodeInfo } from '../connection.ts'
import type { MockDomain, World } from './world.ts'

export type MockNetwork = { uuid: string; name: string; xml: string; active: boolean; persistent: boolean; autostart: boolean }
export type MockVolume = { name: string; data: Buffer; capacity: number }
export type MockPool = { uuid: string; name: string; active: boolean; volumes: Map<string, MockVolume> }

export type MockGuests = {
  /** A guest that doesn't listen to shutdown requests. */
  ignoreShutdown: boolean
  /** A guest that doesn't let go of devices. */
  keepDevices: boolean
  /** Backups go on until they are aborted. */
  holdBackups: boolean
  /** What the guest agent answers; undefined when there is none. */
  agent: ((domain: MockDomain, command: { execute: string; arguments?: unknown }) => unknown) | undefined
  /** Addresses by the MAC of an interface. */
  addresses: Map<string, string[]>
  /** What a console shows when it is opened; afterwards it repeats what is typed. */
  consoleBanner: string
  screenshot: { mime: string; data: Buffer }
}

export type MockState = {
  world: World
  guests: MockGuests
  node: NodeInfo
  hostname: string
  capabilities: string
  domainCapabilities: string
  networks: Map<string, MockNetwork>
  pools: Map<string, MockPool>
  /** The world behind another daemon's URI, for migration. */
  peer: (uri: string) => World | undefined
}

const capabilities = `<capabilities>
  <host>
    <uuid>7c1f6f4c-6b7e-4c1e-9d6c-2f7f1f0a9b51</uuid>
    <cpu><arch>x86_64</arch><model>Haswell-noTSX</model><vendor>Intel</vendor><topology sockets='1' dies='1' cores='4' threads='2'/></cpu>
    <migration_features><live/><uri_transports><uri_transport>tcp</uri_transport></uri_transports></migration_features>
    <topology><cells num='1'><cell id='0'><memory unit='KiB'>16777216</memory><cpus num='8'/></cell></cells></topology>
  </host>
  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>
      <domain type='qemu'/>
    </arch>
  </guest>
</capabilities>
`

const domainCapabilities = `<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path>
  <domain>qemu</domain>
  <machine>pc-q35-7.2</machine>
  <arch>x86_64</arch>
  <vcpu max='288'/>
  <cpu><mode name='host-model' supported='yes'/><mode name='maximum' supported='yes'/></cpu>
  <devices><disk supported='yes'/><graphics supported='yes'/><video supported='yes'/></devices>
</domainCapabilities>
`

export function newState(world: World, peer: MockState['peer']): MockState {
  return {
    world,
    guests: {
      ignoreShutdown: false,
      keepDevices: false,
      holdBackups: false,
      agent: undefined,
      addresses: new Map(),
      consoleBanner: 'mock console\r\n',
      screenshot: { mime: 'image/x-portable-pixmap', data: Buffer.from('P6\n1 1\n255\n\x00\x00\x00', 'latin1') },
    },
    node: { model: 'x86_64', memoryKib: 16_777_216, cpus: 8, mhz: 2400, nodes: 1, sockets: 1, cores: 4, threads: 2 },
    hostname: 'mock',
    capabilities,
    domainCapabilities,
    networks: new Map(),
    pools: new Map(),
    peer,
  }
}
