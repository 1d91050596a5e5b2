/** A metadata service over real loopback sockets: guests are known by the port that the test opened for their network. */
import http from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type ManualClock, manualClock } from '../../src/base/clock.ts'
import type { Networks, PortIdentity } from '../../src/network/index.ts'
import { makeMetadata, metadataSections, type ServiceToken } from '../../src/nova/metadata/index.ts'
import {
  apiConfig,
  type Flavor,
  type Instance,
  type InstancePort,
  makeModel,
  type NewInstance,
  novaConfig,
  quotaConfig,
} from '../../src/nova/model/index.ts'
import { testGround } from './ground.ts'

/** The versions of the OpenStack tree. */
export const openstackVersions: readonly string[] = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  '2020-10-14',
  '2025-04-04',
  'latest',
]

export type GuestAnswer = { status: number; type: string; bytes: Buffer; text: string }
export type Ask = { method?: string; headers?: http.OutgoingHttpHeaders; body?: string | Uint8Array }

const flavor: Flavor = {
  id: 1,
  flavorId: '1',
  name: 'm1.tiny',
  vcpus: 1,
  memoryMib: 512,
  rootGib: 1,
  ephemeralGib: 0,
  swapMib: 0,
  rxtxFactor: 1,
  disabled: false,
  isPublic: true,
  description: null,
  extraSpecs: {},
}

export const aServer = (change: Partial<NewInstance> = {}): NewInstance => ({
  name: 'web 1',
  description: null,
  hostname: 'web-1',
  projectId: 'project-a',
  userId: 'user-a',
  imageId: 'aaaaaaaa-0000-4000-8000-000000000001',
  kernelId: null,
  ramdiskId: null,
  keyName: null,
  keyData: null,
  keyType: null,
  launchIndex: 0,
  reservationId: 'r-abcdefgh',
  flavor,
  userData: null,
  configDrive: false,
  accessIpV4: null,
  accessIpV6: null,
  autoDiskConfig: false,
  spec: { schedulerHints: {}, pinnedZone: null, requestedHost: null, requestedNode: null },
  trustedCerts: null,
  metadata: {},
  systemMetadata: {},
  tags: [],
  ...change,
})

export const aSubnet = (change: Partial<InstancePort['subnets'][number]> = {}): InstancePort['subnets'][number] => ({
  id: 'subnet-4',
  cidr: '10.1.0.0/24',
  version: 4,
  gateway: '10.1.0.1',
  dhcpServer: '10.1.0.2',
  dhcp: true,
  ipv6Mode: null,
  dns: ['10.1.0.2'],
  routes: [],
  ips: [{ address: '10.1.0.7', floating: [] }],
  ...change,
})

export const aPort = (change: Partial<InstancePort> = {}): InstancePort => ({
  portId: 'cccccccc-0000-4000-8000-000000000001',
  mac: 'fa:16:3e:00:00:01',
  tap: 'tapcccccccc-00',
  networkId: 'network-1',
  label: 'private',
  bridge: 'br1',
  mtu: 1450,
  active: true,
  preserve: false,
  tag: null,
  subnets: [aSubnet()],
  securityGroups: [],
  ...change,
})

type Start = { flags?: Record<string, string>; serviceToken?: ServiceToken; clock?: ManualClock }

export function startMetadata({ flags = {}, serviceToken, clock = manualClock() }: Start = {}) {
  const ground = testGround({ sections: [apiConfig, novaConfig, quotaConfig, ...metadataSections], flags, clock })
  const model = makeModel(ground)
  /** Whose the loopback address is, by network. */
  const owners = new Map<string, PortIdentity>()
  const networks = {
    findPortByAddress: (networkId: string, ip: string) => (ip === '127.0.0.1' ? (owners.get(networkId) ?? null) : null),
    findPortsByAddress: (ip: string) => (ip === '127.0.0.1' ? [...owners.values()] : []),
  } as unknown as Networks
  const metadata = makeMetadata({ ...ground, model, networks, ...(serviceToken && { serviceToken }) })
  onTestFinished(async () => {
    await metadata[Symbol.asyncDispose]()
    ground[Symbol.dispose]()
  })

  /** A server as a finished build leaves it. */
  const boot = (change: Partial<NewInstance> = {}, ports: InstancePort[] = [aPort()]): Instance => {
    const uuid = ground.db.transaction(() => model.instances.insert(aServer(change)))
    model.instances.setPorts(uuid, ports)
    model.instances.update(uuid, { vm_state: 'active', task_state: null, availability_zone: 'nova', host: 'host-1' })
    return model.instances.get(uuid)
  }
  const own = (networkId: string, { uuid, projectId }: { uuid: string; projectId: string }, portId = `port-of-${uuid}`) =>
    owners.set(networkId, { portId, deviceId: uuid, projectId })
  /** What a network's data plane does: accepts, and hands over with the network. */
  const openNetwork = async (networkId: string, { paused = false } = {}): Promise<number> => {
    const server = createServer({ pauseOnConnect: paused }, (socket: Socket) => metadata.serveGuest(socket, { networkId }))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }
  /** A booted server and the way it asks. */
  const guest = async (change: Partial<NewInstance> = {}, ports?: InstancePort[]) => {
    const instance = boot(change, ports)
    const networkId = `network-of-${instance.uuid}`
    own(networkId, instance)
    const port = await openNetwork(networkId)
    return { instance, networkId, port, ask: (path: string, how?: Ask) => askAt(port, path, how) }
  }
  return { ground, clock, model, metadata, owners, boot, own, openNetwork, guest }
}

export function askAt(port: number, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<GuestAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', bytes, text: bytes.toString() })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}
