/**
 * `manage policy list`: every rule with what it stands for, in the form of a policy.yaml; `--sample` with the defaults
 * alone, each commented out and with the requests that ask it, as oslopolicy-sample-generator writes.
 */
import { PolicyEngine, PolicyFiles, policyConfig } from '../../base/http/index.ts'
import { type ServicePolicies, servicePolicies } from '../../policies.ts'
import { err, out, outJson, type Shell } from '../shell.ts'
import { type ManageFlags, settingsOf } from './scope.ts'

type Flags = ManageFlags & { sample?: boolean; json?: boolean }

/** @throws {ConfigError} for a policy file that cannot be used. */
export async function listPolicies(flags: Flags, shell: Shell): Promise<number> {
  const { config, dataDir, files } = settingsOf(flags, shell)
  const { enforceScope, enforceNewDefaults, policyDefaultRule } = config.get(policyConfig)
  const engine = new PolicyEngine({ enforceScope, enforceNewDefaults, defaultRule: policyDefaultRule })
  const base = engine.known()
  for (const { policies, scopes } of servicePolicies) engine.add(policies, scopes)
  if (flags.sample) {
    out(sample(base, engine))
    return 0
  }
  const read = new PolicyFiles(engine, { config, configFiles: files, dataDir })
  await read.load()
  for (const warning of read.warnings) err(`warning: ${warning}`)
  const rules = engine.texts()
  if (flags.json) outJson(Object.fromEntries(rules))
  else for (const [name, text] of rules) out(line(name, text))
  return 0
}

/** JSON's texts are YAML's. */
const line = (name: string, text: string): string => `${JSON.stringify(name)}: ${JSON.stringify(text)}`

function sample(base: ReturnType<PolicyEngine['known']>, engine: PolicyEngine): string {
  const text = new Map(engine.known().map((known) => [known.name, known.text]))
  const commented = (name: string, about: readonly string[]) =>
    [...about, line(name, text.get(name) ?? '')].map((one) => `# ${one}`).join('\n')
  const parts = ['# Rules that the others are built on', ...base.map(({ name }) => commented(name, []))]
  for (const one of servicePolicies) {
    parts.push(`# Of the ${one.service} service`)
    for (const name of Object.keys(one.policies)) parts.push(commented(name, aboutOf(one, name)))
  }
  return parts.join('\n\n')
}

function aboutOf({ operations, scopes }: ServicePolicies, name: string): string[] {
  const asking = operations.filter(({ policy }) => policy === name)
  const requests = asking.map(({ method, path, action }) => `${method} ${path}${action === undefined ? '' : ` (${action})`}`)
  return [...new Set(requests), ...(scopes === null ? [] : [`Scope: ${scopes.join(', ')}`])]
}
