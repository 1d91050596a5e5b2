/**
 * What a cloud keeps for itself beside its database: the passwords of its first users and the prefix under which it names
 * things on the host. Made once, mode 0600.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from './base/config/index.ts'
import { bootstrapConfig } from './identity/config.ts'

export type Credentials = {
  readonly adminPassword: string
  readonly demoPassword: string
  readonly region: string
  /** Five characters: begins the names of devices, namespaces, tables and domains of this cloud on its machine. */
  readonly prefix: string
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
const randomWord = (length: number): string => Array.from(randomBytes(length), (byte) => letters[byte % letters.length]).join('')

/** Makes the data directory too if there is none. */
export function credentialsOf(dataDir: string, config: Config): Credentials {
  const file = join(dataDir, 'credentials.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Credentials
  const { adminPassword, demoPassword, region } = config.get(bootstrapConfig)
  const made: Credentials = {
    adminPassword: adminPassword || randomBytes(18).toString('base64url'),
    demoPassword: demoPassword || randomBytes(18).toString('base64url'),
    region,
    prefix: `m${randomWord(4)}`,
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writeSecret(file, `${JSON.stringify(made, null, 2)}\n`)
  return made
}

/** Whole or not at all, readable by its owner alone. */
export function writeSecret(file: string, content: string): void {
  const partial = `${file}.${process.pid}.part`
  writeFileSync(partial, content, { mode: 0o600 })
  renameSync(partial, file)
}

const quoted = (text: string): string => JSON.stringify(text)

/** What `openstack` and SDKs read. @see https://docs.openstack.org/python-openstackclient/latest/configuration/ */
export function cloudsYaml({ adminPassword, demoPassword, region }: Credentials, authUrl: string): string {
  const entry = (name: string, user: string, password: string, project: string) => `  ${name}:
    auth_type: password
    auth:
      auth_url: ${quoted(authUrl)}
      username: ${user}
      password: ${quoted(password)}
      project_name: ${project}
      user_domain_name: Default
      project_domain_name: Default
    region_name: ${quoted(region)}
    interface: public
    identity_api_version: "3"
    image_api_version: "2"
`
  return `clouds:\n${entry('minicloud', 'admin', adminPassword, 'admin')}${entry('minicloud-demo', 'demo', demoPassword, 'demo')}`
}

/** The same for clients that read the environment. */
export function openrc({ adminPassword, region }: Credentials, authUrl: string): string {
  const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  return `export OS_AUTH_URL=${shell(authUrl)}
export OS_USERNAME=admin
export OS_PASSWORD=${shell(adminPassword)}
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME=${shell(region)}
export OS_IDENTITY_API_VERSION=3
`
}
