/** Resource options: settings of a user, project or role that Keystone keeps under four-character ids, values as JSON. */
import { forbidden, invalid } from '../base/errors.ts'
import type { IdentityState } from './state.ts'

export type Options = Record<string, unknown>

const userOptionIds: Record<string, string> = {
  ignore_change_password_upon_first_use: '1000',
  ignore_password_expiry: '1001',
  ignore_lockout_failure_attempts: '1002',
  lock_password: '1003',
  ignore_user_inactivity: '1004',
  multi_factor_auth_rules: 'MFAR',
  multi_factor_auth_enabled: 'MFAE',
}
const immutableIds: Record<string, string> = { immutable: 'IMMU' }

const kinds = {
  user: { table: 'user_option', key: 'user_id', ids: userOptionIds },
  project: { table: 'project_option', key: 'project_id', ids: immutableIds },
  role: { table: 'role_option', key: 'role_id', ids: immutableIds },
} as const
export type OptionKind = keyof typeof kinds

/** A column for a SELECT in which `owner` names the row's id: its options as a JSON object by id. */
export const optionsColumn = (kind: OptionKind, owner: string): string =>
  `(SELECT json_group_object(o.option_id, json(o.option_value)) FROM ${kinds[kind].table} o WHERE o.${kinds[kind].key} = ${owner})`

/** The options by name from what {@link optionsColumn} gave. */
export function readOptions(kind: OptionKind, text: string | null): Options {
  const stored = JSON.parse(text ?? '{}') as Options
  const options: Options = {}
  for (const [name, id] of Object.entries(kinds[kind].ids)) if (Object.hasOwn(stored, id)) options[name] = stored[id]
  return options
}

/** Sets those given; `null` removes one. Within a transaction. */
export function writeOptions(state: IdentityState, kind: OptionKind, owner: string, options: Options | undefined): void {
  if (!options) return
  const { table, key, ids } = kinds[kind]
  for (const [name, id] of Object.entries(ids)) {
    if (!Object.hasOwn(options, name)) continue
    const value = options[name]
    if (value === null) state.db.prepare(`DELETE FROM ${table} WHERE ${key} = ? AND option_id = ?`).run(owner, id)
    else
      state.db
        .prepare(`INSERT OR REPLACE INTO ${table} (${key}, option_id, option_value) VALUES (?, ?, ?)`)
        .run(owner, id, JSON.stringify(value))
  }
}

/** @throws {CloudError} `forbidden` for a change of, or with, a thing that is immutable; lifting that very option, alone, is allowed. */
export function checkMutable(kind: OptionKind, id: string, options: Options, change?: { options?: Options; extra?: object }): void {
  if (options.immutable !== true) return
  const asked = Object.entries({ ...change, ...change?.extra }).filter(([name, value]) => value !== undefined && name !== 'extra')
  const lifts = change?.options !== undefined && Object.hasOwn(change.options, 'immutable') && change.options.immutable !== true
  if (lifts && asked.length === 1) return
  throw forbidden(`Cannot modify or delete immutable resource: ${kind} ${id}. Set the immutable option to false first.`)
}

/** @throws {CloudError} `invalid` for rules of several factors that are no lists of methods. */
export function checkUserOptions(options: Options | undefined): void {
  const rules = options?.multi_factor_auth_rules
  if (rules === undefined || rules === null) return
  const isList = (value: unknown): value is unknown[] => Array.isArray(value)
  const good = isList(rules) && rules.every((rule) => isList(rule) && rule.length > 0 && rule.every((method) => typeof method === 'string'))
  if (!good) throw invalid('Invalid input for field multi_factor_auth_rules: a list of lists of authentication methods is expected.')
}

/** Whether the methods that a user has passed are enough for that user. */
export function enoughFactors(options: Options, methods: readonly string[]): boolean {
  const rules = options.multi_factor_auth_rules as string[][] | undefined
  if (options.multi_factor_auth_enabled === false || !rules || rules.length === 0) return true
  return rules.some((rule) => rule.every((method) => methods.includes(method)))
}
