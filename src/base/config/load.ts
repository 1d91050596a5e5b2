/**
 * Reads the configuration: default < file < environment < flag. What a file says that no room declared is kept out with
 * one warning line each, so that an existing nova.conf starts.
 */
import { readFileSync } from 'node:fs'
import { parse as parseIni } from 'ini'
import { messageOf } from '../errors.ts'
import { environmentName, type Options, optionName, type Section, type SectionValues } from './options.ts'

export type ConfigSources = {
  files?: string[]
  env?: Record<string, string | undefined>
  /** By `section.option_name`. */
  flags?: Record<string, string | undefined>
}

export type Config = {
  /** The values of a declared section. */
  get<O extends Options>(section: Section<O>): SectionValues<Section<O>>
  /** One line for each thing that was read and not used. */
  readonly warnings: readonly string[]
}

export class ConfigError extends Error {}

/** Oslo's INI has no comments behind values and no escapes; `ini` does the sections, values are taken as they stand. */
function readIni(file: string): Record<string, Record<string, string>> {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${messageOf(error)}`)
  }
  const found: Record<string, Record<string, string>> = {}
  // A dot in a section or option name means nothing in oslo's files; `ini` would nest on it.
  const parsed = parseIni(source.replaceAll('.', '\u0000')) as Record<string, unknown>
  for (const [name, value] of Object.entries(parsed)) {
    const inSection = typeof value === 'object' && value !== null && !Array.isArray(value)
    const entries = inSection ? Object.entries(value) : [[name, value] as const]
    const target = inSection ? name.replaceAll('\u0000', '.') : 'DEFAULT'
    found[target] ??= {}
    for (const [key, item] of entries) found[target][key.replaceAll('\u0000', '.')] = String(item).replaceAll('\u0000', '.').trim()
  }
  return found
}

/** @throws {ConfigError} naming the file, section and option when a value cannot be used. */
export function loadConfig(sections: readonly Section[], { files = [], env = {}, flags = {} }: ConfigSources): Config {
  const warnings: string[] = []
  const values = new Map<string, Record<string, unknown>>()
  const given = new Map<string, { text: string; from: string }>()

  const known = new Set(sections.flatMap(({ name, options }) => Object.entries(options).map(([key, o]) => `${name}.${optionName(key, o)}`)))
  for (const file of files) {
    for (const [sectionName, entries] of Object.entries(readIni(file))) {
      for (const [name, text] of Object.entries(entries)) {
        const id = `${sectionName}.${name}`
        if (known.has(id)) given.set(id, { text, from: file })
        else warnings.push(`${file}: [${sectionName}] ${name} is not used by minicloud`)
      }
    }
  }
  for (const { name: sectionName, options } of sections) {
    const merged = values.get(sectionName) ?? {}
    values.set(sectionName, merged)
    for (const [key, option] of Object.entries(options)) {
      const name = optionName(key, option)
      const id = `${sectionName}.${name}`
      const fromEnv = env[environmentName(sectionName, name)]
      if (fromEnv !== undefined) given.set(id, { text: fromEnv, from: 'environment' })
      const fromFlag = flags[id]
      if (fromFlag !== undefined) given.set(id, { text: fromFlag, from: 'command line' })
      const source = given.get(id)
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
