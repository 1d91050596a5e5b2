/** The mock daemon's calls about itself, its machine, networks and storage. */
import { randomUUID } from 'node:crypto'
import { DomainState, ListDomainsFlags } from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import { Feature, type TypedParam } from '../protocol.ts'
import type { Handlers } from './handlers.ts'
import type { MockNetwork, MockPool, MockState, MockVolume } from './state.ts'
import { invalid, type MockDomain } from './world.ts'
import { childText } from './xml.ts'

const libvirtVersion = 9_000_000
const qemuVersion = 7_002_022

export const nodeHandlers: Handlers = {
  connectOpen: ({ name }) => {
    if (!/^(qemu|test):\/\//.test(name ?? '')) throw new LibvirtError(ErrorCode.NO_CONNECT, `no connection driver available for ${name}`)
  },
  connectClose: () => undefined,
  connectGetType: () => ({ type: 'QEMU' }),
  connectGetVersion: () => ({ version: qemuVersion }),
  connectGetLibVersion: () => ({ version: libvirtVersion }),
  connectGetHostname: (_, { state }) => ({ hostname: state.hostname }),
  connectGetUri: () => ({ uri: 'qemu:///system' }),
  connectGetMaxVcpus: () => ({ count: 288 }),
  connectGetSysinfo: () => ({ xml: "<sysinfo type='smbios'/>" }),
  connectSupportsFeature: ({ feature }) => ({
    supported: [Feature.programKeepAlive, Feature.remoteEventCallback, Feature.migrationParams].some((known) => known === feature),
  }),
  connectGetCapabilities: (_, { state }) => ({ xml: state.capabilities }),
  connectGetDomainCapabilities: (_, { state }) => ({ xml: state.domainCapabilities }),
  connectDomainEventCallbackRegisterAny: ({ event }, { registerEvent }) => ({ callback: registerEvent(event) }),
  connectDomainEventCallbackDeregisterAny: ({ callback }, { deregisterEvent }) => deregisterEvent(callback),
  nodeGetInfo: (_, { state }) => state.node,
  nodeGetFreeMemory: (_, { state }) => ({ bytes: state.node.memoryKib * 512 }),
  nodeGetCpuStats: ({ max }) => stats(max, { kernel: 1e9, user: 2e9, idle: 1e12, iowait: 1e8 }),
  nodeGetMemoryStats: ({ max }, { state: { node } }) =>
    stats(max, { total: node.memoryKib, free: node.memoryKib / 2, buffers: 0, cached: 0 }),
  connectListAllDomains: ({ flags }, { state }) => {
    const domains = [...state.world.domains.values()].filter((domain) => listed(domain, flags)).map((domain) => domain.ref)
    return { domains, count: domains.length }
  },
  connectGetAllDomainStats: ({ domains, flags }, { state }) => {
    const wanted = domains.length > 0 ? domains.map((ref) => state.world.require(ref)) : [...state.world.domains.values()]
    return { records: wanted.filter((d) => listed(d, flags & 0xff)).map((d) => ({ domain: d.ref, params: domainStats(d) })) }
  },
  ...networkHandlers(),
  ...poolHandlers(),
  ...volumeHandlers(),
}

/** Asked for none, libvirt says how many there are; asked for another number than that, it refuses. */
function stats(max: number, values: Record<string, number>): { stats: { name: string; value: number }[]; count: number } {
  const all = Object.entries(values).map(([name, value]) => ({ name, value }))
  if (max === 0) return { stats: [], count: all.length }
  if (max !== all.length) throw new LibvirtError(ErrorCode.INVALID_ARG, `invalid argument: nparams must be equal to ${all.length}`)
  return { stats: all, count: all.length }
}

function listed(domain: MockDomain, flags: number): boolean {
  const is = (yes: number, no: number, value: boolean) => {
    const asked = flags & (yes | no)
    return asked === 0 || asked === (yes | no) || (asked === yes) === value
  }
  const states = flags & (ListDomainsFlags.running | ListDomainsFlags.paused | ListDomainsFlags.shutoff | ListDomainsFlags.other)
  const state: Record<number, number> = {
    [DomainState.running]: ListDomainsFlags.running,
    [DomainState.paused]: ListDomainsFlags.paused,
    [DomainState.shutOff]: ListDomainsFlags.shutoff,
  }
  return (
    is(ListDomainsFlags.active, ListDomainsFlags.inactive, domain.active) &&
    is(ListDomainsFlags.persistent, ListDomainsFlags.transient, domain.persistent) &&
    is(ListDomainsFlags.managedsave, ListDomainsFlags.noManagedsave, domain.managedSave) &&
    is(ListDomainsFlags.autostart, ListDomainsFlags.noAutostart, domain.autostart) &&
    (states === 0 || (states & (state[domain.state] ?? ListDomainsFlags.other)) !== 0)
  )
}

function domainStats(domain: MockDomain): TypedParam[] {
  return [
    { name: 'state.state', type: 'int', value: domain.state },
    { name: 'state.reason', type: 'int', value: domain.reason },
    { name: 'cpu.time', type: 'ullong', value: 0 },
    { name: 'balloon.current', type: 'ullong', value: domain.memoryKib },
    { name: 'balloon.maximum', type: 'ullong', value: domain.maxMemoryKib },
    { name: 'vcpu.current', type: 'uint', value: domain.vcpus },
  ]
}

function networkHandlers(): Handlers {
  const find = (state: MockState, uuid: string): MockNetwork => {
    const network = state.networks.get(uuid)
    if (!network) throw new LibvirtError(ErrorCode.NO_NETWORK, `Network not found: ${uuid}`, 19)
    return network
  }
  const take = (state: MockState, xml: string): MockNetwork => {
    const name = childText(xml, 'name')
    if (!name) throw new LibvirtError(ErrorCode.XML_ERROR, 'XML error: a network needs a name', 19)
    const known = [...state.networks.values()].find((network) => network.name === name)
    const uuid = childText(xml, 'uuid') ?? known?.uuid ?? randomUUID()
    const network = known ?? { uuid, name, xml, active: false, persistent: false, autostart: false }
    network.xml = xml
    state.networks.set(uuid, network)
    return network
  }
  return {
    connectListAllNetworks: (_, { state }) => ({ networks: [...state.networks.values()], count: state.networks.size }),
    networkDefineXml: ({ xml }, { state }) => {
      const network = take(state, xml)
      network.persistent = true
      return { network }
    },
    networkCreateXml: ({ xml }, { state }) => {
      const network = take(state, xml)
      network.active = true
      return { network }
    },
    networkCreate: ({ network }, { state }) => {
      const found = find(state, network.uuid)
      if (found.active) throw invalid('network is already active')
      found.active = true
    },
    networkDestroy: ({ network }, { state }) => {
      const found = find(state, network.uuid)
      if (!found.active) throw invalid('network is not active')
      found.active = false
      if (!found.persistent) state.networks.delete(found.uuid)
    },
    networkUndefine: ({ network }, { state }) => {
      const found = find(state, network.uuid)
      found.persistent = false
      if (!found.active) state.networks.delete(found.uuid)
    },
    networkLookupByName: ({ name }, { state }) => {
      const network = [...state.networks.values()].find((candidate) => candidate.name === name)
      if (!network) throw new LibvirtError(ErrorCode.NO_NETWORK, `Network not found: no network with matching name '${name}'`, 19)
      return { network }
    },
    networkGetXmlDesc: ({ network }, { state }) => ({ xml: find(state, network.uuid).xml }),
    networkIsActive: ({ network }, { state }) => ({ active: find(state, network.uuid).active }),
    networkSetAutostart: ({ network, autostart }, { state }) => {
      find(state, network.uuid).autostart = autostart
    },
  }
}

function findPool(state: MockState, name: string): MockPool {
  const pool = state.pools.get(name)
  if (!pool) throw new LibvirtError(ErrorCode.NO_STORAGE_POOL, `Storage pool not found: no storage pool with matching name '${name}'`, 18)
  return pool
}

function poolHandlers(): Handlers {
  const take = (state: MockState, xml: string, active: boolean): { pool: MockPool } => {
    const name = childText(xml, 'name')
    if (!name) throw new LibvirtError(ErrorCode.XML_ERROR, 'XML error: a pool needs a name', 18)
    const pool = state.pools.get(name) ?? { uuid: randomUUID(), name, active, volumes: new Map<string, MockVolume>() }
    state.pools.set(name, pool)
    return { pool }
  }
  return {
    connectListAllStoragePools: (_, { state }) => ({ pools: [...state.pools.values()], count: state.pools.size }),
    storagePoolDefineXml: ({ xml }, { state }) => take(state, xml, false),
    storagePoolCreateXml: ({ xml }, { state }) => take(state, xml, true),
    storagePoolLookupByName: ({ name }, { state }) => ({ pool: findPool(state, name) }),
    storagePoolBuild: () => undefined,
    storagePoolRefresh: () => undefined,
    storagePoolCreate: ({ pool }, { state }) => {
      findPool(state, pool.name).active = true
    },
    storagePoolDestroy: ({ pool }, { state }) => {
      findPool(state, pool.name).active = false
    },
    storagePoolUndefine: ({ pool }, { state }) => {
      state.pools.delete(findPool(state, pool.name).name)
    },
    storagePoolListAllVolumes: ({ pool }, { state }) => {
      const volumes = [...findPool(state, pool.name).volumes.keys()].map((name) => ({ pool: pool.name, name, key: name }))
      return { volumes, count: volumes.length }
    },
  }
}

function volumeHandlers(): Handlers {
  const find = (state: MockState, pool: string, name: string): MockVolume => {
    const volume = findPool(state, pool).volumes.get(name)
    if (!volume)
      throw new LibvirtError(ErrorCode.NO_STORAGE_VOL, `Storage volume not found: no storage vol with matching name '${name}'`, 18)
    return volume
  }
  return {
    storageVolCreateXml: ({ pool, xml }, { state }) => {
      const name = childText(xml, 'name')
      if (!name) throw new LibvirtError(ErrorCode.XML_ERROR, 'XML error: a volume needs a name', 18)
      const capacity = Number(childText(xml, 'capacity') ?? 0)
      findPool(state, pool.name).volumes.set(name, { name, data: Buffer.alloc(0), capacity })
      return { volume: { pool: pool.name, name, key: name } }
    },
    storageVolLookupByName: ({ pool, name }, { state }) => {
      find(state, pool.name, name)
      return { volume: { pool: pool.name, name, key: name } }
    },
    storageVolGetPath: ({ volume }) => ({ path: `/mock/${volume.pool}/${volume.name}` }),
    storageVolGetInfo: ({ volume }, { state }) => {
      const { data, capacity } = find(state, volume.pool, volume.name)
      return { type: 0, capacity, allocation: data.length }
    },
    storageVolDelete: ({ volume }, { state }) => {
      find(state, volume.pool, volume.name)
      findPool(state, volume.pool).volumes.delete(volume.name)
    },
    storageVolDownload: ({ volume, offset, length }, { state, stream }) => {
      const { data } = find(state, volume.pool, volume.name)
      stream((out) => {
        out.send(data.subarray(offset, length === 0 ? undefined : offset + length))
        out.end()
      })
    },
    storageVolUpload: ({ volume, offset }, { state, stream }) => {
      const found = find(state, volume.pool, volume.name)
      stream((input) => {
        const chunks: Buffer[] = []
        input.onData((chunk) => chunks.push(chunk))
        input.onFinish(() => {
          const sent = Buffer.concat(chunks)
          if (offset + sent.length > found.capacity) throw new LibvirtError(ErrorCode.WRITE_FAILED, 'no space left in the volume', 18)
          found.data = Buffer.concat([found.data.subarray(0, offset), sent, found.data.subarray(offset + sent.length)])
        })
      })
    },
  }
}
