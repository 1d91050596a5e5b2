/**
 * `status upgrade check`: nova-status' table and exit codes, 0 success, 1 warning, 2 failure, 255 error.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-status.html
 */
import { out, type Shell } from '../shell.ts'
import { withoutMachineType } from './instances.ts'
import { type ManageFlags, openScope, type Scope } from './scope.ts'
import { table } from './table.ts'

type Result = { code: 0 | 1 | 2; details?: string }
type Check = { name: string; run: (scope: Scope) => Result }

const words = ['Success', 'Warning', 'Failure'] as const
/** What this program's own hosts report. */
const oldestVersion = 70
const lineLength = 60

const number = ({ db }: Scope, sql: string): number => db.prepare<{ n: number }>(sql).get()?.n ?? 0

const checks: Check[] = [
  {
    name: 'Cells v2',
    run: (scope) =>
      number(scope, 'SELECT count(*) AS n FROM host_mappings') > 0
        ? { code: 0 }
        : { code: 0, details: 'No host mappings or compute nodes were found: no host has reported yet.' },
  },
  // Within this process, in the version that it has.
  { name: 'Placement API', run: () => ({ code: 0 }) },
  // Nova passes where no volume service is configured.
  { name: 'Cinder API', run: () => ({ code: 0 }) },
  { name: 'Policy File JSON to YAML Migration', run: () => ({ code: 0 }) },
  {
    name: 'Older than N-1 computes',
    run: (scope) => {
      const old = number(
        scope,
        `SELECT count(*) AS n FROM services WHERE binary = 'nova-compute' AND deleted = 0 AND version < ${oldestVersion}`,
      )
      return old === 0 ? { code: 0 } : { code: 2, details: `${old} compute services are too old for this version.` }
    },
  },
  {
    name: 'hw_machine_type unset',
    run: (scope) =>
      withoutMachineType(scope, null).length === 0
        ? { code: 0 }
        : {
            code: 1,
            details:
              'Instances found without hw_machine_type set: they get the default of the host whenever they start. To see them: nova-manage libvirt list_unset_machine_type',
          },
  },
  { name: 'Service User Token Configuration', run: () => ({ code: 0 }) },
]

/** Lines of at most `length`, those after the first a little to the right. */
function wrapped(text: string, length: number): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= length) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(last === undefined ? word : `  ${word}`)
  }
  return lines.join('\n')
}

/** @returns the worst result. */
export function upgradeCheck(flags: ManageFlags & { json?: boolean }, shell: Shell): number {
  using scope = openScope(flags, shell)
  const results = checks.map(({ name, run }) => ({ name, ...run(scope) }))
  if (flags.json) {
    out(
      JSON.stringify({
        name: 'Upgrade Check Results',
        checks: results.map(({ name, code, details }) => ({ check: name, result: code, details: details ?? null })),
      }),
    )
  } else {
    const rows = results.map(({ name, code, details }) => [
      `Check: ${name}\nResult: ${words[code]}\nDetails: ${details === undefined ? 'None' : wrapped(details, lineLength)}`,
    ])
    out(table(['Upgrade Check Results'], rows, { align: 'left', ruled: true }))
  }
  return Math.max(...results.map(({ code }) => code))
}
