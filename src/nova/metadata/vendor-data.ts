/**
 * What the cloud's operator tells guests: a file that all read, and services that answer for each guest.
 *
 * @see https://docs.openstack.org/nova/latest/admin/vendordata.html
 */
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../../base/config/index.ts'
import { messageOf, unavailable } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import { apiConfig, type Instance } from '../model/index.ts'
import { metadataConfig } from './config.ts'
import { type Network, parseNetwork, postJson } from './post-json.ts'

export type VendorData = {
  /** Whether StaticJSON is among the providers. */
  readonly hasStatic: boolean
  /** The file's content; `{}` without one. */
  fixed(): Promise<unknown>
  /**
   * The file's as `static`, and each service's answer under its name; asked once however often it is read.
   * @throws {CloudError} `unavailable` when a service failed and `vendordata_dynamic_failure_fatal` is set.
   */
  all(): Promise<Record<string, unknown>>
}
export type About = { readonly instance: Instance; readonly hostname: string; readonly bootRoles: string }
export type VendorDataSource = { of(about: About): VendorData }
/** Gives the token that services are sent; null sends none. */
export type ServiceToken = () => Promise<string | null>

const maxAnswerBytes = 1024 * 1024

type Target = { readonly name: string; readonly url: URL }

/** @throws {ConfigError} for an allowed network that is none. */
export function makeVendorData(ground: Ground & { serviceToken?: ServiceToken }): VendorDataSource {
  const { config, log, serviceToken } = ground
  const { vendordataJsonfilePath: file } = config.get(apiConfig)
  const options = config.get(metadataConfig)
  const hasStatic = options.vendordataProviders.includes('StaticJSON')
  const targets = options.vendordataProviders.includes('DynamicJSON') ? options.vendordataDynamicTargets.flatMap(readTarget) : []
  const allowed = options.vendordataDynamicAllowedNetworks.map(readNetwork)
  const caFile = options.vendordataDynamicSslCertfile

  function readTarget(text: string): Target[] {
    const at = text.indexOf('@')
    const url = URL.parse(text.slice(at + 1))
    if (at > 0 && (url?.protocol === 'http:' || url?.protocol === 'https:')) return [{ name: text.slice(0, at), url }]
    log.warn({ target: text }, '[api] vendordata_dynamic_targets has one that is not name@http(s)://…; it is left out')
    return []
  }

  function readNetwork(text: string): Network {
    try {
      return parseNetwork(text)
    } catch {
      throw new ConfigError(`[api] vendordata_dynamic_allowed_networks: expected address/length, got "${text}"`)
    }
  }

  async function readFixed(): Promise<unknown> {
    if (file === '') return {}
    try {
      return JSON.parse(await readFile(file, 'utf8')) as unknown
    } catch (error) {
      log.warn({ file, err: error }, '[api] vendordata_jsonfile_path cannot be read; guests get {}')
      return {}
    }
  }

  async function ask({ name, url }: Target, { instance, hostname, bootRoles }: About): Promise<unknown> {
    try {
      const token = (await serviceToken?.()) ?? null
      return await postJson({
        url,
        body: {
          'project-id': instance.projectId,
          'instance-id': instance.uuid,
          'image-id': instance.imageId,
          'user-data': instance.userData,
          hostname,
          metadata: instance.metadata,
          'boot-roles': bootRoles,
        },
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': 'openstack-nova-vendordata',
          ...(token !== null && { 'x-auth-token': token }),
        },
        connectTimeoutMs: options.vendordataDynamicConnectTimeout * 1000,
        readTimeoutMs: options.vendordataDynamicReadTimeout * 1000,
        maxBytes: maxAnswerBytes,
        allowed,
        ca: caFile === '' ? null : await readFile(caFile, 'utf8'),
      })
    } catch (error) {
      log.warn({ target: name, instance: instance.uuid, err: error }, `vendor data: ${messageOf(error)}`)
      if (options.vendordataDynamicFailureFatal) throw unavailable(`Vendor data of ${name} cannot be had.`, { cause: error })
      return {}
    }
  }

  return {
    of(about) {
      let asked: Promise<[string, unknown][]> | undefined
      return {
        hasStatic,
        fixed: readFixed,
        async all() {
          asked ??= Promise.all(targets.map(async (target): Promise<[string, unknown]> => [target.name, await ask(target, about)]))
          const answers = await asked
          return { ...Object.fromEntries(answers), ...(hasStatic && { static: await readFixed() }) }
        },
      }
    },
  }
}
