/**
 * Images, as Glance has them: what guests boot from. Bytes are taken in through inspection alone, kept under
 * `<dataDir>/images`, and given to the compute service as bases for guests' disks.
 *
 * @see https://docs.openstack.org/api-ref/image/v2/
 */
import type { Ground } from '../base/ground.ts'
import { imageDialect, type Service } from '../base/http/index.ts'
import { addTag, deactivateImage, deleteTag, indexLocations, reactivateImage } from './api/actions.ts'
import { requireProperty } from './api/attributes.ts'
import { downloadImage, importImage, stageImage, uploadImage } from './api/data.ts'
import type { ImageDeps } from './api/deps.ts'
import { createImage, deleteImage, indexImages, showOneImage } from './api/images.ts'
import {
  indexImageTasks,
  indexNamespaces,
  indexResourceTypes,
  indexStores,
  indexTasks,
  showImport,
  showNamespace,
  showTask,
  showUsage,
} from './api/info.ts'
import { addMember, deleteMember, indexMembers, showOneMember, updateMember } from './api/members.ts'
import { updateImage } from './api/patch.ts'
import { policies } from './api/policy.ts'
import { schemaOperations } from './api/schemas.ts'
import { versionsService } from './api/versions.ts'
import { type BaseFile, BaseFiles } from './bases.ts'
import { Catalog } from './catalog.ts'
import { imageCacheConfig, imageConfig, imageDiskConfig } from './config.ts'
import { ImageFiles } from './files.ts'
import { Filling } from './filling.ts'
import type { Image, NewImage, Viewer } from './image.ts'
import { type ListQuery, listImages } from './list.ts'
import { Members } from './members.ts'

export type { BaseFile } from './bases.ts'
export { imageCacheConfig, imageConfig, imageDiskConfig } from './config.ts'
export type { Image, ImageStatus, NewImage, Viewer, Visibility } from './image.ts'
export { type ImageReader, type Inspection, inspect } from './inspect/index.ts'
export type { ListQuery } from './list.ts'
export {
  convert,
  createOverlay,
  type DiskFile,
  type DiskFormat,
  type DiskInfo,
  info as diskInfo,
  type QemuImgOptions,
  resize,
} from './qemu-img.ts'
export type { TinyImage } from './tiny/index.ts'

/** The building of the image `tiny`, loaded where one is built. */
export const loadTiny = () => import('./tiny/index.ts')

export type Images = AsyncDisposable & {
  /** The list of versions; mounted at `/image`. */
  readonly root: Service
  /** Mounted at `/image/v2`. */
  readonly v2: Service
  /** `null` for one that is not there or that the viewer may not see; the viewer `null` is the cloud itself. */
  get(id: string, viewer: Viewer): Image | null
  findByName(name: string): Image[]
  /** One page of what the viewer may see. @throws {CloudError} `invalid` for an unknown marker. */
  list(query: ListQuery, viewer: Viewer): Image[]
  /** Replaces the image's properties. @throws {CloudError} `not-found`; `forbidden` or `invalid` for what can be none. */
  setProperties(id: string, properties: Readonly<Record<string, string>>): Image
  /** A new image without bytes, `queued`. @throws {CloudError} `conflict` when the id is taken. */
  register(image: NewImage): Image
  /**
   * Fills a queued image, through the same inspection as an upload; who knows the bytes' format only now says so.
   * @throws {CloudError} `invalid` for refused bytes, `conflict`, `too-large`, `gone`; the image is `queued` again then.
   */
  fill(id: string, source: AsyncIterable<Uint8Array>, diskFormat?: 'raw' | 'qcow2'): Promise<Image>
  /** `register` and `fill`; an image whose bytes are refused is removed again. @throws as both. */
  add(image: NewImage, source: AsyncIterable<Uint8Array>): Promise<Image>
  /** Deletes it, protected or not; a base that guests stand on stays. Harmless when it is gone. */
  remove(id: string): Promise<void>
  /**
   * The file that guests' disks are overlays of: made once, shared, read-only.
   * @throws {CloudError} `not-found`; `conflict` for an image that is not active or no disk; `unavailable` when it cannot be
   * made on this host, saying why; or the signal's reason.
   */
  baseFile(id: string, signal?: AbortSignal): Promise<BaseFile>
  /** Removes bases that nobody used for long and whose image no guest uses. @returns ids of those images. */
  collectGarbage(inUse: ReadonlySet<string>): Promise<string[]>
  /** What lies on the disk: ids of images with bytes, ids of images with bases, names of files being written. */
  inventory(): Promise<{ images: string[]; bases: string[]; partial: string[] }>
  /** Resolves when no import runs. */
  settled(): Promise<void>
}

const operations = [
  createImage,
  indexImages,
  showOneImage,
  updateImage,
  deleteImage,
  uploadImage,
  downloadImage,
  stageImage,
  importImage,
  addTag,
  deleteTag,
  deactivateImage,
  reactivateImage,
  indexLocations,
  addMember,
  indexMembers,
  showOneMember,
  updateMember,
  deleteMember,
  ...schemaOperations,
  showImport,
  indexStores,
  showUsage,
  indexNamespaces,
  showNamespace,
  indexResourceTypes,
  indexTasks,
  showTask,
  indexImageTasks,
]

/** Its policies, for whoever lists them all. */
export const imagePolicies = { service: 'image', policies, scopes: ['project'] as const, operations }

/** Also clears away what an interrupted process left behind. */
export function makeImages(ground: Ground): Images {
  const { db, clock, log, config } = ground
  const limits = config.get(imageConfig)
  const { removeUnusedBaseImages, removeUnusedOriginalMinimumAgeSeconds } = config.get(imageCacheConfig)
  const { forceRawImages } = config.get(imageDiskConfig)

  const catalog = new Catalog({ db, clock })
  const members = new Members({ db, clock, quota: limits.imageMemberQuota })
  const files = new ImageFiles(ground.dataDir)
  catalog.releaseInterrupted()
  files.sweep(catalog.idsWithBytes())
  const filling = new Filling({ catalog, files, limits, log })
  const bases = new BaseFiles({
    catalog,
    files,
    clock,
    log,
    options: {
      forceRaw: forceRawImages,
      removeUnused: removeUnusedBaseImages,
      minimumAgeSeconds: removeUnusedOriginalMinimumAgeSeconds,
    },
  })
  const remove = async (id: string): Promise<void> => {
    if (!catalog.get(id, null)) return
    catalog.delete(id)
    filling.callOff(id)
    for (const suffix of ['', '.part', '.staged'] as const) await files.remove(id, suffix)
  }
  const deps: ImageDeps = { db, catalog, members, filling, files, limits, remove }
  const v2: Service<ImageDeps> = { name: 'image', dialect: imageDialect, operations, deps, policies, scopes: imagePolicies.scopes }

  return {
    root: versionsService,
    v2: v2 as Service,
    get: (id, viewer) => catalog.get(id, viewer),
    findByName: (name) => catalog.findByName(name),
    list: (query, viewer) => listImages(db, catalog, query, viewer),
    setProperties(id, properties) {
      const before = catalog.find(id, null)
      for (const [name, value] of Object.entries(properties)) if (before.properties[name] !== value) requireProperty(name, value)
      return catalog.save(before, { ...before, properties: { ...properties } })
    },
    register: (image) => catalog.create(image),
    async fill(id, source, diskFormat) {
      const before = catalog.find(id, null)
      if (diskFormat !== undefined && before.status === 'queued') catalog.save(before, { ...before, diskFormat })
      return await filling.fill(id, source)
    },
    async add(image, source) {
      const { id } = catalog.create(image)
      try {
        return await filling.fill(id, source)
      } catch (error) {
        await remove(id)
        throw error
      }
    },
    remove,
    baseFile: (id, signal) => bases.get(id, signal),
    collectGarbage: (inUse) => bases.collectGarbage(inUse),
    inventory: async () => ({ ...files.list(), bases: await bases.list() }),
    settled: () => filling.settled(),
    async [Symbol.asyncDispose]() {
      await filling[Symbol.asyncDispose]()
      await bases[Symbol.asyncDispose]()
    },
  }
}
