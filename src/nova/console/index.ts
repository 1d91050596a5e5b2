/**
 * Consoles of guests in the browser: tokens, the page that shows a screen, and the WebSockets behind it. It takes the place of Nova's
 * console authorisation and of its noVNC and serial proxies.
 *
 * @see https://docs.openstack.org/nova/latest/admin/remote-console-access.html
 */
import type { Timer } from '../../base/clock.ts'
import { conflict, invalid, notFound } from '../../base/errors.ts'
import type { Ground } from '../../base/ground.ts'
import type { Service, UpgradeHandler } from '../../base/http/index.ts'
import type { Conductor } from '../conductor/index.ts'
import type { Instance, Model } from '../model/index.ts'
import { type ConsoleEndpoint, type ConsoleType, GuestError, spiceConfig } from '../virt/index.ts'
import { screenPage, screenUrl, serialSocket, tokenUrl } from './addresses.ts'
import { consoleAuthConfig, consoleConfig, mksConfig, rdpConfig, serialConsoleConfig, vncConfig } from './config.ts'
import { addressOf } from './endpoint.ts'
import { ConsoleProxy } from './proxy.ts'
import { consoleService } from './service.ts'

export { consoleSections } from './config.ts'
export { consoleAssets } from './files.ts'

export type Consoles = AsyncDisposable & {
  /**
   * A URL that opens the console once. `origin` is the address at which the caller reaches this cloud.
   * @throws {CloudError} `invalid` for a type that is not to be had here, `conflict` when the guest does not run, `not-found` when it is
   * gone, `unavailable` when its host does not answer.
   */
  create(instance: Instance, type: ConsoleType, origin: string): Promise<{ type: ConsoleType; url: string }>
  /** The page and its files, for `/console`. */
  readonly service: Service
  readonly upgrades: Readonly<Record<string, UpgradeHandler>>
}

export type ConsoleDeps = Ground & { model: Model; conductor: Pick<Conductor, 'console' | 'consoleTypes'> }

const sweepEveryMs = 60_000
const protocolOf = (type: ConsoleType): string => /vnc|spice|rdp|serial|mks/.exec(type)?.[0] ?? type
/** The page finds the WebSocket beside itself; others are told the token alone. */
const hasPage: ReadonlySet<ConsoleType> = new Set(['novnc', 'xvpvnc', 'spice-html5'])
const forbiddenTasks: ReadonlySet<string | null> = new Set(['deleting', 'migrating'])

/** Tokens of a former process are void: how its guests fared meanwhile nobody saw. */
export function makeConsoles(deps: ConsoleDeps): Consoles {
  const { model, conductor, config, clock, metrics } = deps
  const vnc = config.get(vncConfig)
  const serial = config.get(serialConsoleConfig)
  const spice = config.get(spiceConfig)
  const rdp = config.get(rdpConfig)
  const mks = config.get(mksConfig)
  const { tokenTtl } = config.get(consoleAuthConfig)
  const proxy = new ConsoleProxy(deps)
  const isOffered: Readonly<Record<ConsoleType, boolean>> = {
    novnc: vnc.enabled,
    xvpvnc: vnc.enabled,
    'spice-html5': spice.enabled,
    'spice-direct': spice.enabled,
    serial: serial.enabled,
    'rdp-html5': rdp.enabled,
    webmks: mks.enabled,
  }
  model.consoleTokens.clear()
  metrics.gauge('minicloud_console_sessions', 'Consoles that are open.', () => proxy.open)

  let timer: Timer
  const sweep = () => {
    timer = clock.after(sweepEveryMs, () => {
      model.consoleTokens.removeExpired()
      sweep()
    })
  }
  sweep()

  function baseOf(type: ConsoleType, origin: string): string {
    if (type === 'serial') return serialSocket(origin, serial.baseUrl)
    if (type === 'spice-html5') return screenPage('spice', origin, spice.html5proxyBaseUrl)
    if (type === 'spice-direct') return spice.spiceDirectProxyBaseUrl
    if (type === 'rdp-html5') return rdp.html5ProxyBaseUrl
    if (type === 'webmks') return mks.mksproxyBaseUrl
    return screenPage('vnc', origin, vnc.novncproxyBaseUrl)
  }

  async function endpointOf(instance: Instance, type: ConsoleType): Promise<ConsoleEndpoint> {
    try {
      return await conductor.console(instance, type)
    } catch (error) {
      if (!(error instanceof GuestError)) throw error
      if (error.reason === 'not-found') throw notFound(`Instance ${instance.uuid} could not be found.`, { cause: error })
      throw conflict(`Instance ${instance.uuid} is not ready`, { cause: error })
    }
  }

  return {
    async create(instance, type, origin) {
      if (forbiddenTasks.has(instance.taskState))
        throw conflict(`Cannot 'get_${protocolOf(type)}_console' instance ${instance.uuid} while it is in task_state ${instance.taskState}`)
      if (!isOffered[type] || !(await conductor.consoleTypes(instance)).includes(type)) throw invalid(`Unavailable console type ${type}.`)
      const endpoint = await endpointOf(instance, type)
      const accessUrlBase = baseOf(type, origin)
      const token = model.consoleTokens.create(
        { consoleType: type, instanceUuid: instance.uuid, accessUrlBase, ...addressOf(endpoint, instance.host ?? '') },
        tokenTtl,
      )
      return { type, url: hasPage.has(type) ? screenUrl(accessUrlBase, token, instance.name) : tokenUrl(accessUrlBase, token) }
    },
    service: consoleService(config.get(consoleConfig).frameAncestors, (token) => {
      const found = token === '' ? null : model.consoleTokens.find(token)
      return found && { isSerial: found.consoleType === 'serial', name: model.instances.find(found.instanceUuid)?.name ?? '' }
    }),
    upgrades: { '/console/websockify': (request, socket, head) => void proxy.upgrade(request, socket, head) },
    async [Symbol.asyncDispose]() {
      timer.cancel()
      await proxy[Symbol.asyncDispose]()
    },
  }
}
