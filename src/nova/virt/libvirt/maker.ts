/** Makes a guest with all that it needs on the host, and takes all of it away again. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection, Domain } from '../../../node-libvirt/index.ts'
import { PowerState } from '../driver.ts'
import type { GuestSpec } from '../specs.ts'
import type { Announcer } from './announcer.ts'
import type { InstanceFiles } from './disks.ts'
import { type DiskFile, domainXml } from './domain-xml.ts'
import type { LibvirtDriverDeps } from './driver.ts'
import { startEchoes } from './guests.ts'
import { domainSettings, type Host, surveyHost } from './host.ts'
import type { KeptDefinitions } from './kept-definitions.ts'
import type { OwnDomains } from './own-domains.ts'
import { powerOf } from './power.ts'
import { removeDomain } from './removal.ts'
import type { Session } from './session.ts'

/** The room in `sockaddr_un`, without its final zero. */
const socketPathMax = 107

type SocketKind = 'vnc' | 'tty' | 'spice'

const socketPath = (runDir: string, uuid: string, kind: SocketKind): string => join(runDir, `${uuid}.${kind}`)

/** @throws {RangeError} when sockets' paths there would be too long */
export function checkRunDir(runDir: string): void {
  if (Buffer.byteLength(socketPath(runDir, '0'.repeat(36), 'spice')) > socketPathMax)
    throw new RangeError(`${runDir} is too long for sockets`)
}

type Parts = { files: InstanceFiles; session: Session; own: OwnDomains; kept: KeptDefinitions; announcer: Announcer }

export class GuestMaker {
  readonly #deps: LibvirtDriverDeps
  readonly #parts: Parts
  #surveyed: Promise<Host> | undefined
  #host: Host | undefined

  constructor(deps: LibvirtDriverDeps, parts: Parts) {
    this.#deps = deps
    this.#parts = parts
  }

  /** As of the last survey, if there was one. */
  get host(): Host | undefined {
    return this.#host
  }

  socket(uuid: string, kind: SocketKind): string {
    return socketPath(this.#deps.runDir, uuid, kind)
  }

  /** What is known of the host; surveyed at first and, when libvirt has come back, `anew`. */
  survey(connection: Connection, anew = false): Promise<Host> {
    if (this.#surveyed && !anew) return this.#surveyed
    const { config, log, spice } = this.#deps
    const survey = surveyHost(connection, this.#deps, config, log, spice).then((host) => {
      this.#host = host
      return host
    })
    this.#surveyed = survey
    survey.catch(() => {
      if (this.#surveyed === survey) this.#surveyed = undefined
    })
    return survey
  }

  xmlOf(spec: GuestSpec, disks: readonly DiskFile[], host: Host): string {
    const { files } = this.#parts
    const { uuid } = spec
    const settings = domainSettings(
      spec,
      host,
      this.#deps.config,
      {
        cloud: this.#deps.cloudPrefix,
        nvram: files.nvram(uuid),
        serialLog: files.serialLog(uuid),
        vncSocket: this.socket(uuid, 'vnc'),
        serialSocket: this.socket(uuid, 'tty'),
        spiceSocket: this.socket(uuid, 'spice'),
      },
      this.#deps.spice,
    )
    return domainXml(spec, disks, settings)
  }

  /** @throws whatever went wrong, or the signal's reason, after taking away what was made */
  async make(spec: GuestSpec, signal: AbortSignal): Promise<void> {
    const { files, session, own, kept, announcer } = this.#parts
    const { uuid } = spec
    const connection = await session.use()
    const left = (await own.find(uuid))?.domain
    if (left) {
      const power = await powerOf(left)
      if (power === PowerState.running || power === PowerState.paused) return
      await this.#remove(left)
    }
    try {
      const host = await this.survey(connection)
      const disks = await files.make(spec, host.access, signal)
      signal.throwIfAborted()
      const domain = await connection.defineXml(this.xmlOf(spec, disks, host))
      own.remember(uuid, spec.name)
      await kept.keep(domain)
      signal.throwIfAborted()
      await announcer.quietly(uuid, startEchoes, () => domain.start())
      signal.throwIfAborted()
    } catch (error) {
      await this.remove(uuid).catch((trouble) => this.#deps.log.error({ err: trouble, uuid }, 'a failed spawn could not be cleaned up'))
      throw error
    }
  }

  /** Domain, files and sockets, as far as they are there. */
  async remove(uuid: string): Promise<void> {
    const { files, own, announcer } = this.#parts
    const found = await own.find(uuid)
    if (found) await this.#remove(found.domain)
    await files.remove(uuid)
    for (const kind of ['vnc', 'tty', 'spice'] as const) await rm(this.socket(uuid, kind), { force: true })
    announcer.forget(uuid)
  }

  async #remove(domain: Domain): Promise<void> {
    await removeDomain(domain, this.#deps.clock)
    this.#parts.own.forget(domain.uuid)
  }
}
