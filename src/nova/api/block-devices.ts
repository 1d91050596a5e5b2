/**
 * `block_device_mapping_v2` and its older form `block_device_mapping` in the body of a new server.
 *
 * Which disks come of it is `planDisks`' matter; here each entry is read, and refused where it makes no sense by itself.
 *
 * @see https://docs.openstack.org/nova/latest/user/block-device-mapping.html
 */
import { invalid } from '../../base/errors.ts'
import { closed, kinds, nullable, type TSchema, Type } from '../../base/http/index.ts'
import type { BlockDevice } from '../model/index.ts'
import { anyBoolean, tagSchema } from './schemas.ts'

const uuid = Type.String({ format: 'uuid' })
const word = Type.String({ maxLength: 255 })
const maxInt = 0x7fffffff

const legacy = {
  virtual_name: Type.Optional(word),
  volume_id: Type.Optional(uuid),
  snapshot_id: Type.Optional(uuid),
  volume_size: Type.Optional(kinds(Type.Integer({ minimum: 1, maximum: maxInt }), Type.String({ pattern: '^[0-9]+$' }))),
  device_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._/-]*$' })),
  delete_on_termination: Type.Optional(anyBoolean),
  no_device: Type.Optional(Type.Unknown()),
  connection_info: Type.Optional(Type.String()),
}
export const legacyDeviceSchema = Type.Object(legacy, closed)

/** `blockTag` and `volumeType` came with versions of their own. */
export const deviceSchema = ({ blockTag, volumeType }: { blockTag?: boolean; volumeType?: boolean }): TSchema =>
  Type.Object(
    {
      ...legacy,
      source_type: Type.Optional(Type.String({ enum: ['volume', 'image', 'snapshot', 'blank'] })),
      uuid: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9._-]*$' })),
      image_id: Type.Optional(uuid),
      destination_type: Type.Optional(Type.String({ enum: ['local', 'volume'] })),
      guest_format: Type.Optional(word),
      device_type: Type.Optional(word),
      disk_bus: Type.Optional(word),
      boot_index: Type.Optional(kinds(Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' }), Type.Null())),
      ...(blockTag ? { tag: Type.Optional(tagSchema) } : {}),
      ...(volumeType ? { volume_type: Type.Optional(nullable(word)) } : {}),
    },
    closed,
  )

type Device = {
  source_type?: BlockDevice['source']
  destination_type?: BlockDevice['destination']
  uuid?: string
  volume_id?: string
  snapshot_id?: string
  virtual_name?: string
  boot_index?: number | string | null
  guest_format?: string
  device_name?: string
  device_type?: string
  disk_bus?: string
  volume_size?: number | string
  volume_type?: string | null
  tag?: string
  no_device?: unknown
}
type Mappings = { imageRef?: string; block_device_mapping?: Device[]; block_device_mapping_v2?: Device[] }

const wrong = (details: string) => invalid(`Block Device Mapping is Invalid: ${details}`)

/** What a body maps; `null` when it maps nothing. @throws {CloudError} `invalid`, in Nova's words. */
export function mappedDevices({
  imageRef,
  block_device_mapping: v1 = [],
  block_device_mapping_v2: v2 = [],
}: Mappings): BlockDevice[] | null {
  if (v1.length > 0 && v2.length > 0) throw invalid('Using different block_device_mapping syntaxes is not allowed in the same request.')
  if (v2.length > 0) return v2.filter(({ no_device }) => !no_device).map((device) => deviceOf(device, Boolean(imageRef)))
  if (v1.length === 0) return null
  const devices = v1.filter((device) => !device.no_device || isLocal(device.virtual_name)).map(legacyDeviceOf)
  const root: BlockDevice = { ...blank, source: 'image', uuid: imageRef ?? null, bootIndex: 0 }
  return imageRef ? [root, ...devices] : devices
}

const blank: BlockDevice = {
  source: 'blank',
  destination: 'local',
  uuid: null,
  bootIndex: -1,
  guestFormat: null,
  deviceName: null,
  deviceType: 'disk',
  bus: null,
  size: null,
  tag: null,
}

const sizeOf = ({ volume_size: size }: Device): number | null => (size === undefined ? null : Math.min(Number(size), maxInt))

function deviceOf(device: Device, hasImage: boolean): BlockDevice {
  const { source_type: source, volume_type: volumeType, boot_index: index } = device
  const id = device.uuid ?? null
  if (source === 'blank' && id !== null) throw wrong('Invalid device UUID.')
  if (source !== 'blank' && id === null) throw wrong('Missing device UUID.')
  if (source === undefined) throw wrong('Some required fields are missing')
  const destination = device.destination_type ?? (source === 'volume' || source === 'snapshot' ? 'volume' : 'local')
  const bootIndex = index === undefined || index === null ? null : Number(index)
  if (source === 'image' && destination === 'local' && !(hasImage && bootIndex === 0))
    throw wrong('Mapping image to local is not supported.')
  if (destination === 'local' && volumeType) throw wrong('Specifying a volume_type with destination_type=local is not supported.')
  if (source === 'volume' && volumeType) throw wrong('Specifying volume type to existing volume is not supported.')
  return {
    source,
    destination,
    uuid: id,
    bootIndex,
    guestFormat: device.guest_format ?? null,
    deviceName: device.device_name ?? null,
    deviceType: device.device_type ?? null,
    bus: device.disk_bus || null,
    size: sizeOf(device),
    tag: device.tag ?? null,
  }
}

const isLocal = (name: string | undefined): boolean => name !== undefined && /^(swap|ephemeral(\d|[1-9]\d+))$/.test(name)

function legacyDeviceOf(device: Device): BlockDevice {
  const { virtual_name: name, snapshot_id: snapshot, volume_id: volume } = device
  const shared = { ...blank, deviceName: device.device_name ?? null, size: sizeOf(device) }
  if (isLocal(name)) return { ...shared, guestFormat: name === 'swap' ? 'swap' : null }
  const stored = { ...shared, destination: 'volume', bootIndex: 0 } as const
  if (snapshot !== undefined) return { ...stored, source: 'snapshot', uuid: snapshot }
  if (volume !== undefined) return { ...stored, source: 'volume', uuid: volume }
  throw wrong('Unrecognized legacy format.')
}
