/**
 * What this image service can do and how much is used; and the catalogues that are empty here: metadata definitions, and
 * tasks, since an import is not kept as one.
 */
import { notFound } from '../../base/errors.ts'
import { operation, principalOf } from '../../base/http/index.ts'
import { type ImageDeps, imageIn, ownerOf } from './deps.ts'
import { importMethods } from './images.ts'

export const showImport = operation({
  method: 'GET',
  path: '/info/import',
  status: 200,
  policy: null,
  handle: () => ({ 'import-methods': { description: 'Import methods available.', type: 'array', value: importMethods } }),
})

export const indexStores = operation({
  method: 'GET',
  path: '/info/stores',
  status: 200,
  errors: [404],
  policy: null,
  handle: (): unknown => {
    throw notFound('Multi backend is not supported at this site.')
  },
})

const mib = 1024 * 1024

export const showUsage = operation({
  method: 'GET',
  path: '/info/usage',
  status: 200,
  errors: [403],
  policy: 'get_images',
  handle: ({ context }, { catalog, limits }: ImageDeps) => {
    const used = catalog.usage(principalOf(context).projectId)
    const unlimited = (usage: number) => ({ limit: -1, usage })
    return {
      usage: {
        image_size_total: {
          limit: limits.userStorageQuota > 0 ? Math.floor(limits.userStorageQuota / mib) : -1,
          usage: Math.ceil(used.bytes / mib),
        },
        image_stage_total: unlimited(0),
        image_count_total: unlimited(used.images),
        image_count_uploading: unlimited(used.filling),
      },
    }
  },
})

export const indexNamespaces = operation({
  method: 'GET',
  path: '/metadefs/namespaces',
  status: 200,
  errors: [403],
  policy: 'get_metadef_namespaces',
  handle: () => ({ namespaces: [], first: '/v2/metadefs/namespaces', schema: '/v2/schemas/metadefs/namespaces' }),
})

export const showNamespace = operation({
  method: 'GET',
  path: '/metadefs/namespaces/{namespace_name}',
  status: 200,
  errors: [403, 404],
  policy: 'get_metadef_namespaces',
  handle: ({ params }): unknown => {
    throw notFound(`Metadata definition namespace=${params.namespace_name?.slice(0, 80)} was not found.`)
  },
})

export const indexResourceTypes = operation({
  method: 'GET',
  path: '/metadefs/resource_types',
  status: 200,
  errors: [403],
  policy: 'get_metadef_namespaces',
  handle: () => ({ resource_types: [] }),
})

export const indexTasks = operation({
  method: 'GET',
  path: '/tasks',
  status: 200,
  errors: [403],
  policy: 'get_tasks',
  handle: () => ({ tasks: [], first: '/v2/tasks', schema: '/v2/schemas/tasks' }),
})

export const showTask = operation({
  method: 'GET',
  path: '/tasks/{task_id}',
  status: 200,
  errors: [403, 404],
  policy: 'get_task',
  handle: ({ params }): unknown => {
    throw notFound(`No task found with ID ${params.task_id?.slice(0, 64)}`)
  },
})

export const indexImageTasks = operation({
  method: 'GET',
  path: '/images/{image_id}/tasks',
  status: 200,
  errors: [403, 404],
  policy: 'get_image_tasks',
  target: ownerOf,
  handle: (request, deps: ImageDeps) => {
    imageIn(request, deps)
    return { tasks: [] }
  },
})
