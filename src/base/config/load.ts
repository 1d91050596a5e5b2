/**
 * Reads the configuration: default < file < environment < flag. What a file says that no room declared is kept out with
 * one warning line each that says why, so that an existing nova.conf starts.
 *
 * `$other` and `${section.other}` in a file stand for another option's value, as in oslo's files; `$$` is a dollar. A
 * name that nothing answers to stays as it is written: a password may hold a dollar.
 */
import { readFileSync } from 'node:fs'
import { messageOf } from '../errors.ts'
import { parseIni } from './ini.ts'
import { environmentName, manySeparator, type Option, type Options, optionName, type Section, type SectionValues } from './options.ts'
import { whyUnused } from './unused.ts'

export type ConfigSources = {
  files?: string[]
  env?: Record<string, string | undefined>
  /** By `section.option_name`. */
  flags?: Record<string, string | undefined>
}

export type Config = {
  /** The values of a declared section. */
  get<O extends Options>(section: Section<O>): SectionValues<Section<O>>
  /** One line for each thing that was read and not used; never a value. */
  readonly warnings: readonly string[]
}

export class ConfigError extends Error {}

type Given = { text: string; from: string }

function readSource(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${messageOf(error)}`)
  }
}

/** What the files say by `section.option`: the last one wins, within a file too; those in `many` keep all of one file. */
function readFiles(files: readonly string[], many: ReadonlySet<string>, warnings: string[]): Map<string, Given> {
  const given = new Map<string, Given>()
  for (const file of files) {
    const { entries, skipped } = parseIni(readSource(file))
    for (const why of skipped) warnings.push(`${file}: ${why}`)
    for (const { section, name, value } of entries) {
      // oslo takes `-` for `_` in an option's name.
      const id = `${section}.${name.replaceAll('-', '_')}`
      const before = given.get(id)
      const text = many.has(id) && before?.from === file ? before.text + manySeparator + value : value
      given.set(id, { text, from: file })
    }
  }
  return given
}

const deepestReference = 8

function substituted(text: string, section: string, read: (id: string) => string | undefined, depth = 0): string {
  if (!text.includes('$') || depth >= deepestReference) return text
  return text.replace(/\$(\$|\{([\w.-]+)\}|([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?))/g, (whole, sign: string, braced?: string, bare?: string) => {
    if (sign === '$') return '$'
    const name = braced ?? bare ?? ''
    for (const id of name.includes('.') ? [name] : [`${section}.${name}`, `DEFAULT.${name}`]) {
      const value = read(id)
      if (value !== undefined) return substituted(value, id.slice(0, id.lastIndexOf('.')), read, depth + 1)
    }
    return whole
  })
}

/** @throws {ConfigError} naming the file, section and option when a value cannot be used. */
export function loadConfig(sections: readonly Section[], { files = [], env = {}, flags = {} }: ConfigSources): Config {
  const warnings: string[] = []
  const values = new Map<string, Record<string, unknown>>()
  const declared = new Map<string, Option<unknown>>(
    sections.flatMap(({ name, options }) => Object.entries(options).map(([key, o]) => [`${name}.${optionName(key, o)}`, o] as const)),
  )
  const many = new Set([...declared].flatMap(([id, option]) => (option.many ? [id] : [])))
  const fromFiles = readFiles(files, many, warnings)
  for (const [id, { from }] of fromFiles) {
    const at = id.lastIndexOf('.')
    const [inSection, name] = [id.slice(0, at), id.slice(at + 1)]
    if (!declared.has(id))
      warnings.push(`${from}: [${inSection}] ${name} is not used by minicloud: ${whyUnused(inSection, name, declared)}`)
  }
  for (const id of Object.keys(flags)) if (!declared.has(id)) warnings.push(`command line: ${id} is not used by minicloud`)

  const written = (id: string): string | undefined => {
    const at = id.lastIndexOf('.')
    const found = flags[id] ?? env[environmentName(id.slice(0, at), id.slice(at + 1))] ?? fromFiles.get(id)?.text
    const fallback = declared.get(id)?.default
    return found ?? (fallback === undefined || fallback === null ? undefined : String(fallback))
  }
  for (const { name: sectionName, options } of sections) {
    const merged = values.get(sectionName) ?? {}
    values.set(sectionName, merged)
    for (const [key, option] of Object.entries(options)) {
      const name = optionName(key, option)
      const id = `${sectionName}.${name}`
      const fromFile = fromFiles.get(id)
      const fromEnv = env[environmentName(sectionName, name)]
      const fromFlag = flags[id]
      let source: Given | undefined
      if (fromFlag !== undefined) source = { text: fromFlag, from: 'command line' }
      else if (fromEnv !== undefined) source = { text: fromEnv, from: 'environment' }
      else if (fromFile) source = { text: substituted(fromFile.text, sectionName, written), from: fromFile.from }
      try {
        merged[key] = source === undefined ? option.default : option.parse(source.text)
      } catch (error) {
        const why = option.secret ? 'a value that cannot be used' : messageOf(error)
        throw new ConfigError(`[${sectionName}] ${name} (${source?.from}): ${why}`)
      }
    }
  }
  return {
    warnings,
    get: <O extends Options>(section: Section<O>) => {
      const found = values.get(section.name)
      if (!found) throw new Error(`section [${section.name}] was not declared to loadConfig`)
      return found as SectionValues<Section<O>>
    },
  }
}
