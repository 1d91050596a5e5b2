/** Devices in a domain's XML: found again by what names them, put in and taken out. */
import { DeviceModifyFlags } from '../constants.ts'
import { ErrorCode, LibvirtError } from '../errors.ts'
import { append, attribute, child, childrenOf, type Element, replaceChild, rootTag, setAttribute } from './xml.ts'

export function devicesOf(xml: string): Element[] {
  return childrenOf(child(xml, 'devices') ?? '<devices/>') ?? []
}

/** What tells a device from its like: a disk's target, an interface's address, else its alias. */
export function deviceKey(device: string): string {
  const tag = rootTag(device) ?? ''
  if (tag === 'disk') return `disk ${attribute(child(device, 'target'), 'dev') ?? ''}`
  if (tag === 'interface') return `interface ${attribute(child(device, 'mac'), 'address')?.toLowerCase() ?? ''}`
  return `${tag} ${aliasOf(device) ?? attribute(device, 'type') ?? ''}`
}

export function aliasOf(device: string): string | undefined {
  return attribute(child(device, 'alias'), 'name')
}

export function findDevice(xml: string, key: string): Element | undefined {
  return devicesOf(xml).find((device) => deviceKey(device.text) === key)
}

/**
 * @param live a running guest has its own words for a disk or card that is there twice
 * @throws {LibvirtError} for those
 */
export function withDevice(xml: string, device: string, live: boolean): string {
  const key = deviceKey(device)
  if (/^(disk|interface) /.test(key) && findDevice(xml, key)) {
    throw new LibvirtError(live ? ErrorCode.XML_ERROR : ErrorCode.OPERATION_INVALID, `${key} already exists`, 10)
  }
  const devices = child(xml, 'devices')
  return devices === undefined ? append(xml, `<devices>${device}</devices>`) : replaceChild(xml, devices, append(devices, device))
}

/** @throws {LibvirtError} when there is none */
export function withoutDevice(xml: string, key: string): string {
  return replaceChild(xml, requireDevice(xml, key).text, '')
}

/** @throws {LibvirtError} when there is none */
export function requireDevice(xml: string, key: string): Element {
  const found = findDevice(xml, key)
  if (found) return found
  throw new LibvirtError(ErrorCode.DEVICE_MISSING, `device not found: ${key}`, 10)
}

/** Gives each device the alias that it has while it runs, and graphics their ports. */
export function runningXml(xml: string, id: number): string {
  const counts = new Map<string, number>()
  let result = setAttribute(xml, 'id', String(id))
  for (const { tag, text } of devicesOf(xml)) {
    const index = counts.get(tag) ?? 0
    counts.set(tag, index + 1)
    let running = tag === 'graphics' && attribute(text, 'autoport') === 'yes' ? setAttribute(text, 'port', String(5900 + id + index)) : text
    if (!['graphics', 'emulator'].includes(tag) && aliasOf(text) === undefined) running = withAlias(running, tag, index)
    if (running !== text) result = replaceChild(result, text, running)
  }
  return result
}

export function withAlias(device: string, tag: string, index: number): string {
  if (aliasOf(device) !== undefined) return device
  const name = { disk: `virtio-disk${index}`, interface: `net${index}` }[tag] ?? `${tag}${index}`
  return append(device, `<alias name='${name}'/>`)
}

/** @returns where a change goes. @throws {LibvirtError} when it cannot go there */
export function affected(flags: number, domain: { active: boolean; persistent: boolean }): { live: boolean; config: boolean } {
  const wanted = flags & (DeviceModifyFlags.live | DeviceModifyFlags.config)
  const live = (wanted & DeviceModifyFlags.live) !== 0 || (wanted === 0 && domain.active)
  const config = (wanted & DeviceModifyFlags.config) !== 0 || (wanted === 0 && !domain.active)
  if (live && !domain.active)
    throw new LibvirtError(ErrorCode.OPERATION_INVALID, 'Requested operation is not valid: domain is not running', 10)
  if (config && !domain.persistent) {
    throw new LibvirtError(ErrorCode.OPERATION_INVALID, 'Requested operation is not valid: a transient domain has no configuration', 10)
  }
  return { live, config }
}
