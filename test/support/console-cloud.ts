/** A cloud with fake guests behind a real port, for tests that open consoles. */
import type { FakeDriver } from '../../src/nova/virt/index.ts'
import { startTestCloud, type TestCloud, type TestCloudOptions } from './cloud.ts'

export type ConsoleCloud = AsyncDisposable & {
  cloud: TestCloud
  origin: string
  driver: FakeDriver
  /** An active server's id. */
  boot(name: string): Promise<string>
  /** The URL that the API answers, of a console by VNC unless `protocol` and `type` say otherwise. */
  url(id: string, protocol?: string, type?: string): Promise<string>
}

export async function startConsoleCloud(options: TestCloudOptions = {}): Promise<ConsoleCloud> {
  const cloud = await startTestCloud({ ...options, flags: { 'minicloud.port': '0', ...options.flags } })
  const { host, port } = await cloud.cloud.listen()
  const origin = `http://${host}:${port}`
  return {
    cloud,
    origin,
    driver: cloud.cloud.drivers[0] as FakeDriver,
    async boot(name) {
      const [flavors, images] = [await cloud.call('GET', '/compute/v2.1/flavors'), await cloud.call('GET', '/image/v2/images')]
      const server = { name, flavorRef: flavors.body.flavors[0].id, imageRef: images.body.images[0].id, networks: 'none' }
      const made = await cloud.call('POST', '/compute/v2.1/servers', { version: '2.37', body: { server } })
      await cloud.settle()
      return made.body.server.id
    },
    async url(id, protocol = 'vnc', type = 'novnc') {
      const answer = await fetch(`${origin}/compute/v2.1/servers/${id}/remote-consoles`, {
        method: 'POST',
        headers: {
          'x-auth-token': await cloud.token('admin'),
          'openstack-api-version': 'compute 2.6',
          'content-type': 'application/json',
        },
        body: JSON.stringify({ remote_console: { protocol, type } }),
      })
      if (answer.status !== 200) throw new Error(`no console: ${answer.status} ${await answer.text()}`)
      const body = (await answer.json()) as { remote_console: { url: string } }
      return body.remote_console.url
    },
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}

/** Where the page of this URL finds its WebSocket. */
export function socketUrl(pageUrl: string): string {
  const url = new URL(pageUrl)
  return `ws://${url.host}/${url.searchParams.get('path')}`
}
