/** Reads back what `cloudsYaml` in `src/credentials.ts` writes: a cloud's address and how to authenticate. Not any YAML. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CommandFailed } from './shell.ts'

export type CloudEntry = { authUrl: string; username: string; password: string; project: string; region: string }

/** @throws {CommandFailed} when no cloud ever ran in the data directory, or the file has no such cloud. */
export function readCloud(dataDir: string, name: string): CloudEntry {
  const file = join(dataDir, 'clouds.yaml')
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch {
    throw new CommandFailed(`there is no ${file}: start the cloud first (minicloud serve), or name its --data-dir`)
  }
  const lines = source.split('\n')
  const start = lines.indexOf(`  ${name}:`)
  const length = lines.slice(start + 1).findIndex((line) => !line.startsWith('    '))
  const entry = new Map(
    lines.slice(start + 1, start + 1 + length).map((line): [string, string] => {
      const [key = '', ...rest] = line.trim().split(': ')
      const value = rest.join(': ')
      return [key, value.startsWith('"') ? (JSON.parse(value) as string) : value]
    }),
  )
  const get = (key: string): string => {
    const value = start < 0 ? undefined : entry.get(key)
    if (value === undefined) throw new CommandFailed(`${file} has no ${key} of a cloud ${name}; minicloud serve writes it anew`)
    return value
  }
  return {
    authUrl: get('auth_url'),
    username: get('username'),
    password: get('password'),
    project: get('project_name'),
    region: get('region_name'),
  }
}
