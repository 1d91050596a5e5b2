/** The console proxy against a plain relay that does nothing but pass bytes on, in the same run and over the same sockets. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HttpServer, PolicyEngine } from '../../../src/base/http/index.ts'
import { makeMetrics } from '../../../src/base/metrics.ts'
import { makeConsoles } from '../../../src/nova/console/index.ts'
import { makeModel } from '../../../src/nova/model/index.ts'
import { socketUrl, startConsoleCloud } from '../../support/console-cloud.ts'
import type { Job, Peer } from '../console-peer.ts'
import { type CaseResult, median } from '../measure.ts'

const totalBytes = 512 * 1024 * 1024
const rounds = 5
const leastRatio = 0.7

export async function consoleCase(): Promise<CaseResult> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-bench-'))
  const path = join(dir, 'vnc')
  const peer = new Worker(new URL('../console-peer.ts', import.meta.url), { workerData: { path, totalBytes } satisfies Peer })
  await once(peer, 'message')
  const measure = async (job: Job) => {
    const answer = once(peer, 'message')
    const before = process.threadCpuUsage()
    peer.postMessage(job)
    const [seconds] = (await answer) as [number]
    const { user, system } = process.threadCpuUsage(before)
    return { mibPerSecond: totalBytes / 2 ** 20 / seconds, cpuSeconds: (user + system) / 1e6 }
  }

  await using cloud = await startConsoleCloud()
  const { ground } = cloud.cloud.cloud
  const model = makeModel(ground)
  const instance = model.instances.get(await cloud.boot('flood'))
  const conductor = { consoleTypes: async () => ['novnc'] as const, console: async () => ({ kind: 'unix', path }) as const }
  const consoles = makeConsoles({ ...ground, metrics: makeMetrics(), model, conductor })
  const server = new HttpServer({
    mounts: [],
    upgrades: consoles.upgrades,
    authenticate: () => Promise.reject(new Error('nobody')),
    policy: new PolicyEngine(),
    log: ground.log,
  })
  const proxy = await server.listen({ host: '127.0.0.1', port: 0 })
  const relay = createServer((client) => {
    const guest = connect({ path })
    client.pipe(guest).pipe(client)
    client.on('error', () => guest.destroy())
    guest.on('error', () => client.destroy())
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const plain = { host: '127.0.0.1', port: (relay.address() as AddressInfo).port, head: '' }

  const viaProxy: Awaited<ReturnType<typeof measure>>[] = []
  const viaRelay: typeof viaProxy = []
  for (let i = 0; i < rounds; i++) {
    const { url } = await consoles.create(instance, 'novnc', `http://${proxy.host}:${proxy.port}`)
    const { pathname, search } = new URL(socketUrl(url))
    const head = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${proxy.host}:${proxy.port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      '\r\n',
    ].join('\r\n')
    viaRelay.push(await measure(plain))
    viaProxy.push(await measure({ ...proxy, head }))
  }

  await consoles[Symbol.asyncDispose]()
  await server.close()
  relay.close()
  await peer.terminate()
  rmSync(dir, { recursive: true, force: true })

  const speed = (runs: typeof viaProxy) => median(runs.map(({ mibPerSecond }) => mibPerSecond))
  const cpuPerGib = (runs: typeof viaProxy) => (median(runs.map(({ cpuSeconds }) => cpuSeconds)) * 2 ** 30) / totalBytes
  const ratio = speed(viaProxy) / speed(viaRelay)
  return {
    name: 'Consoles',
    rows: [
      {
        what: 'VNC through the WebSocket proxy',
        value: `${Math.round(speed(viaProxy))} MiB/s, ${cpuPerGib(viaProxy).toFixed(2)} s CPU per GiB`,
      },
      {
        what: 'the same through a plain relay',
        value: `${Math.round(speed(viaRelay))} MiB/s, ${cpuPerGib(viaRelay).toFixed(2)} s CPU per GiB`,
      },
      { what: 'proxy / plain relay', value: ratio.toFixed(2), bar: `≥ ${leastRatio}`, met: ratio >= leastRatio },
    ],
  }
}
