/** The network service alone, in process with pretended networks, and calls to it. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are read as they come
import { mount } from '../../src/base/http/index.ts'
import { makeFakeDriver, makeNetworks, type Networks, networkConfig, networkQuotaConfig } from '../../src/network/index.ts'
import { type CallOptions, type TestApi, testApi, testPrincipals } from './api.ts'
import { testGround } from './ground.ts'

const { admin, demo } = testPrincipals()
/** The projects whose networks are seeded. */
export const seed = { adminProjectId: admin?.projectId ?? '', demoProjectId: demo?.projectId ?? '' }

/** With the seeded networks of admin's and demo's projects. */
export function startNetworks(flags: Record<string, string> = {}): { networks: Networks; api: TestApi } {
  const ground = testGround({ sections: [networkConfig, networkQuotaConfig], flags })
  const networks = makeNetworks({ ...ground, driver: makeFakeDriver({ cloudPrefix: 'mc' }), host: 'host1' })
  networks.bootstrap(seed)
  return { networks, api: testApi(networks.v2, { prefix: '/network/v2.0', mounts: [mount('/network', networks.root)] }) }
}

/** Calls as demo, unless told otherwise, to the API that is there when they are made. */
export function networkCalls(api: () => TestApi) {
  const call = (method: string, path: string, body?: unknown, options: CallOptions = {}) =>
    api().call(method, path, { token: 'demo', body, ...options })
  const asAdmin = (method: string, path: string, body?: unknown) => call(method, path, body, { token: 'admin' })
  /** Makes one and gives its body. @throws {Error} when it is refused. */
  async function make(kind: string, body: Record<string, unknown>, token = 'demo'): Promise<any> {
    const answer = await call('POST', `/${kind.replaceAll('_', '-')}s`, { [kind]: body }, { token })
    if (answer.status !== 201) throw new Error(`${kind}: ${answer.status} ${answer.text}`)
    return answer.body[kind]
  }
  async function netWithSubnet(cidr = '192.168.7.0/24', more: Record<string, unknown> = {}) {
    const network = await make('network', { name: 'net' })
    const subnet = await make('subnet', { network_id: network.id, ip_version: cidr.includes(':') ? 6 : 4, cidr, ...more })
    return { network, subnet }
  }
  /** Status and type of a refusal. */
  async function errorOf(answer: Promise<{ status: number; body: any }>): Promise<[number, string | undefined]> {
    const { status, body } = await answer
    return [status, body?.NeutronError?.type]
  }
  return { call, asAdmin, make, netWithSubnet, errorOf }
}
