/**
 * The operator's policy files: read at the start, and again when they change, with no request waiting for the disk.
 *
 * A change counts when two looks, half a second apart, saw the same: an editor that is about to replace a file, or to
 * fill one that it has just emptied, is left to finish.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { Clock, Timer } from '../../clock.ts'
import { type Config, ConfigError } from '../../config/index.ts'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { defaultPolicyFile, policyConfig } from './config.ts'
import { OverrideError, type PolicyEngine } from './engine.ts'
import type { Placed } from './file.ts'
import { largestFile, PolicyFileError } from './file-error.ts'

export type PolicyPlaces = {
  config: Config
  /** Files of options; relative names are sought beside them first. */
  configFiles?: readonly string[]
  dataDir: string
}

const lookEveryMs = 500
const mostFiles = 200

type Found = { readonly files: readonly string[]; readonly signature: string }

export class PolicyFiles implements Disposable {
  readonly #engine: PolicyEngine
  readonly #files: readonly string[]
  readonly #folders: readonly (readonly string[])[]
  readonly #mustExist: boolean
  #applied = ''
  #seen = ''
  /** What was last complained of. */
  #trouble = ''
  #timer: Timer | undefined
  /** Those of the last reading. */
  warnings: readonly string[] = []

  constructor(engine: PolicyEngine, { config, configFiles = [], dataDir }: PolicyPlaces) {
    const { policyFile, policyDirs } = config.get(policyConfig)
    const bases = [...configFiles.map((file) => dirname(resolve(file))), dataDir]
    const places = (name: string) => (isAbsolute(name) ? [name] : [...new Set(bases.map((base) => join(base, name)))])
    this.#engine = engine
    this.#files = places(policyFile)
    this.#folders = policyDirs.filter((name) => name !== '').map(places)
    this.#mustExist = policyFile !== defaultPolicyFile
  }

  /** @throws {ConfigError} in one line: file, line, rule and why. */
  async load(): Promise<void> {
    try {
      const found = await this.#look()
      if (this.#mustExist && !found.files.some((file) => this.#files.includes(file)))
        throw new PolicyFileError(this.#files[0] ?? '', null, 'there is no such file ([oslo_policy] policy_file)')
      await this.#apply(found)
    } catch (error) {
      throw new ConfigError(messageOf(error), { cause: error })
    }
  }

  /** Looks again and again, until disposed. */
  watch({ clock, log }: { clock: Clock; log: Log }): void {
    const again = () => {
      this.#timer = clock.after(lookEveryMs, () => void this.check(log).finally(() => this.#timer && again()))
    }
    again()
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** One look. What cannot be used leaves the rules as they are, and is logged once. */
  async check(log: Pick<Log, 'info' | 'warn' | 'error'>): Promise<void> {
    try {
      const found = await this.#look()
      const isSteady = found.signature === this.#seen
      this.#seen = found.signature
      if (!isSteady || found.signature === this.#applied) return
      await this.#apply(found)
      for (const warning of this.warnings) log.warn(warning)
      log.info({ files: found.files }, 'policies were read anew')
      this.#trouble = ''
    } catch (error) {
      const why = messageOf(error)
      if (why !== this.#trouble) log.error(`policies stay as they were: ${why}`)
      this.#trouble = why
    }
  }

  async #look(): Promise<Found> {
    const files: string[] = []
    let signature = ''
    const take = async (file: string): Promise<boolean> => {
      const about = await statOf(file)
      if (!about?.isFile()) return false
      files.push(file)
      signature += `${file}\0${about.mtimeNs}\0${about.ctimeNs}\0${about.size}\0${about.ino}\n`
      if (files.length > mostFiles) throw new PolicyFileError(file, null, `there are more than ${mostFiles} policy files`)
      return true
    }
    for (const file of this.#files) if (await take(file)) break
    for (const places of this.#folders)
      for (const folder of places) {
        const names = await namesIn(folder)
        if (names === null) continue
        for (const name of names) await take(join(folder, name))
        break
      }
    return { files, signature }
  }

  async #apply({ files, signature }: Found): Promise<void> {
    this.#seen = signature
    this.#applied = signature
    const rules = new Map<string, Placed>()
    const warnings: string[] = []
    for (const file of files) {
      const bytes = await readFile(file)
      if (bytes.length > largestFile) throw new PolicyFileError(file, null, `is larger than ${largestFile} bytes`)
      // Few clouds have such a file, and YAML takes time to load.
      const { readPolicies } = await import('./file.ts')
      const content = readPolicies(file, bytes.toString('utf8'))
      warnings.push(...content.warnings)
      for (const [name, placed] of content.rules) rules.set(name, placed)
    }
    const said = (name: string, why: string) =>
      new PolicyFileError(rules.get(name)?.file ?? name, rules.get(name)?.line ?? null, `${name}: ${why}`)
    const bare = new Map([...rules].map(([name, { rule }]) => [name, rule]))
    try {
      this.#engine.override(bare)
    } catch (error) {
      throw error instanceof OverrideError ? said(error.rule, error.message) : error
    }
    this.warnings = [...warnings, ...this.#engine.doubts(bare).map(({ rule, why }) => said(rule, why).message)]
  }
}

const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

async function statOf(file: string) {
  try {
    return await stat(file, { bigint: true })
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}

async function namesIn(folder: string): Promise<string[] | null> {
  try {
    const names = await readdir(folder)
    return names.filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name)).sort()
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
