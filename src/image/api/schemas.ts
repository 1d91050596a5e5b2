/**
 * The JSON Schemas that clients read before they show or create an image.
 * @see https://docs.openstack.org/api-ref/image/v2/#image-schemas
 */
import { operation } from '../../base/http/index.ts'
import { memberStatuses } from '../members.ts'
import { baseAttributes, knownProperties } from './attributes.ts'

type Json = Record<string, unknown>

const descriptions: Record<string, string> = {
  name: 'Descriptive name for the image',
  disk_format: 'Format of the disk',
  container_format: 'Format of the container',
  visibility: 'Scope of image accessibility',
  min_disk: 'Amount of disk space (in GB) required to boot image.',
  min_ram: 'Amount of ram (in MB) required to boot image.',
  owner: 'Owner of the image',
  protected: 'If true, image will not be deletable.',
  os_hidden: 'If true, image will not appear in default image list response.',
  tags: 'List of strings related to the image',
  kernel_id: 'ID of image stored in Glance that should be used as the kernel when booting an AMI-style image.',
  ramdisk_id: 'ID of image stored in Glance that should be used as the ramdisk when booting an AMI-style image.',
}

const readOnly = (type: unknown, description: string, more: Json = {}): Json => ({
  readOnly: true,
  type,
  description: `(READ-ONLY) ${description}`,
  ...more,
})
const text = (description: string): Json => ({ type: 'string', description })

const settable = Object.fromEntries(
  Object.entries({ ...baseAttributes, ...knownProperties }).map(([name, schema]) => [
    name,
    { ...schema, description: descriptions[name], ...(name in knownProperties ? { is_base: false } : {}) },
  ]),
)

const imageProperties: Json = {
  ...settable,
  id: {
    type: 'string',
    description: 'An identifier for the image',
    pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
  },
  status: readOnly('string', 'Status of the image', {
    enum: ['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete', 'deactivated'],
  }),
  checksum: readOnly(['null', 'string'], 'md5 hash of image contents.', { maxLength: 32 }),
  os_hash_algo: readOnly(['null', 'string'], 'Algorithm to calculate the os_hash_value', { maxLength: 64 }),
  os_hash_value: readOnly(['null', 'string'], 'Hexdigest of the image contents using the algorithm specified by the os_hash_algo', {
    maxLength: 128,
  }),
  size: readOnly(['null', 'integer'], 'Size of image file in bytes'),
  virtual_size: readOnly(['null', 'integer'], 'Virtual size of image in bytes'),
  created_at: readOnly('string', 'Date and time of image registration'),
  updated_at: readOnly('string', 'Date and time of the last image modification'),
  self: readOnly('string', 'An image self url'),
  file: readOnly('string', 'An image file url'),
  schema: readOnly('string', 'An image schema url'),
  direct_url: readOnly('string', 'URL to access the image file kept in external store'),
  locations: {
    type: 'array',
    description: 'A set of URLs to access the image file kept in external store',
    items: {
      type: 'object',
      properties: { url: { type: 'string', maxLength: 255 }, metadata: { type: 'object' } },
      required: ['url', 'metadata'],
    },
  },
  architecture: { ...text('Operating system architecture'), is_base: false },
  instance_uuid: { ...text('Metadata which can be used to record which instance this image is associated with.'), is_base: false },
  os_distro: { ...text('Common name of operating system distribution'), is_base: false },
  os_version: { ...text('Operating system version as specified by the distributor.'), is_base: false },
}

const image = {
  name: 'image',
  properties: imageProperties,
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
}

const member = {
  name: 'member',
  properties: {
    created_at: text('Date and time of image member creation'),
    image_id: {
      ...text('An identifier for the image'),
      pattern: '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
    },
    member_id: text('An identifier for the image member (tenantId)'),
    schema: { readOnly: true, type: 'string' },
    status: { ...text('The status of this image member'), enum: [...memberStatuses] },
    updated_at: text('Date and time of last modification of image member'),
  },
}

const listOf = (name: string, item: { name: string; properties: Json }, isPaged: boolean): Json => ({
  name,
  properties: {
    [name]: { type: 'array', items: item },
    ...(isPaged ? { first: { type: 'string' }, next: { type: 'string' } } : {}),
    schema: { type: 'string' },
  },
  links: [
    ...(isPaged
      ? [
          { rel: 'first', href: '{first}' },
          { rel: 'next', href: '{next}' },
        ]
      : []),
    { rel: 'describedby', href: '{schema}' },
  ],
})

const namespace = {
  name: 'namespace',
  properties: {
    namespace: { ...text('The unique namespace text.'), maxLength: 80 },
    display_name: { ...text('The user friendly name for the namespace.'), maxLength: 80 },
    description: { ...text('Provides a user friendly description of the namespace.'), maxLength: 500 },
    visibility: { ...text('Scope of namespace accessibility.'), enum: ['public', 'private'] },
    protected: { type: 'boolean', description: 'If true, namespace will not be deletable.' },
    owner: { ...text('Owner of the namespace.'), maxLength: 255 },
    resource_type_associations: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
    self: { type: 'string' },
    schema: { type: 'string' },
  },
}

const resourceType = { name: 'resource_type_association', properties: { name: text('Resource type name.') } }

const schemas: Record<string, Json> = {
  image,
  images: listOf('images', image, true),
  member,
  members: listOf('members', member, false),
  'metadefs/namespace': namespace,
  'metadefs/namespaces': listOf('namespaces', namespace, true),
  'metadefs/resource_type': resourceType,
  'metadefs/resource_types': listOf('resource_type_associations', resourceType, false),
}

export const schemaOperations = Object.entries(schemas).map(([name, schema]) =>
  operation({ method: 'GET', path: `/schemas/${name}`, status: 200, policy: null, handle: () => schema }),
)
