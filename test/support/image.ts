/** The image service alone, in process, and calls to it. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { manualClock } from '../../src/base/clock.ts'
import { imageCacheConfig, imageConfig, imageDiskConfig, makeImages } from '../../src/image/index.ts'
import { type CallOptions, type TestApi, testApi } from './api.ts'
import { testGround } from './ground.ts'

const sections = [imageConfig, imageCacheConfig, imageDiskConfig]
const patchType = { 'content-type': 'application/openstack-images-v2.1-json-patch' }

export const raw = { disk_format: 'raw', container_format: 'bare' }
export const demo = { token: 'demo' }
export const bytes = (text: string) => new TextEncoder().encode(text)

export type ImageWorld = ReturnType<typeof startImages>

export function startImages(flags: Record<string, string> = {}) {
  const clock = manualClock()
  const ground = testGround({ sections, flags, clock })
  const images = makeImages(ground)
  const api = testApi(images.v2, { prefix: '/image/v2', mounts: [{ prefix: '/image', service: images.root }] })
  return {
    clock,
    ground,
    images,
    api,
    filesOnDisk: () => readdirSync(join(ground.dataDir, 'images')).filter((name) => name !== '_base'),
    async [Symbol.asyncDispose]() {
      await images[Symbol.asyncDispose]()
      ground[Symbol.dispose]()
    },
  }
}

/** Calls as demo, unless told otherwise, to the API that is there when they are made. */
export function imageCalls(api: () => TestApi) {
  return {
    /** The body of the answer. */
    create: async (body: object = {}, options: CallOptions = demo) =>
      (await api().call('POST', '/images', { ...options, body: { name: 'i', ...raw, ...body } })).body,
    upload: (id: string, content: Uint8Array<ArrayBuffer>, options: CallOptions = demo) =>
      api().call('PUT', `/images/${id}/file`, {
        ...options,
        raw: content,
        headers: { 'content-type': 'application/octet-stream', ...options.headers },
      }),
    patch: (id: string, changes: unknown, options: CallOptions = demo) =>
      api().call('PATCH', `/images/${id}`, { ...options, raw: JSON.stringify(changes), headers: { ...patchType, ...options.headers } }),
  }
}
