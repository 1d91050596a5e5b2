/**
 * `npm run bench [-- --only NAME[,NAME]] [--json FILE]`: runs each case after the other and prints what it measured beside its bar, met or not.
 *
 * The exit code tells whether every case could be run, not whether the bars were met.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { CaseResult, Row } from './measure.ts'

type Case = () => Promise<CaseResult>

/** The reader's order; a case that is not named comes last. */
const order = ['rest', 'lifecycle', 'burst', 'lists', 'growth', 'tokens', 'handlers', 'event-loop', 'image-upload', 'console', 'libvirt']

async function findCases(): Promise<{ name: string; run: Case }[]> {
  const folder = new URL('./cases/', import.meta.url)
  const names = readdirSync(fileURLToPath(folder))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  return await Promise.all(
    names
      .sort((a, b) => place(a) - place(b))
      .map(async (name) => {
        const exports_ = (await import(new URL(`${name}.ts`, folder).href)) as Record<string, unknown>
        const run = Object.entries(exports_).find(([key, value]) => key.endsWith('Case') && typeof value === 'function')?.[1]
        if (!run) throw new Error(`cases/${name}.ts exports no case`)
        return { name, run: run as Case }
      }),
  )
}

function print({ name, rows }: CaseResult): void {
  const width = (of: (row: Row) => string) => Math.max(...rows.map((row) => of(row).length), 0)
  const [what, value, bar] = [width((row) => row.what), width((row) => row.value), width((row) => row.bar ?? '')]
  console.log(`\n${name}`)
  for (const row of rows) {
    const mark = row.met === undefined ? ' ' : row.met ? '✓' : '✗'
    console.log(`  ${mark} ${row.what.padEnd(what)}  ${row.value.padStart(value)}  ${(row.bar ?? '').padEnd(bar)}`.trimEnd())
  }
}

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } })
const only = values.only?.split(',')
const cases = (await findCases()).filter(({ name }) => only === undefined || only.includes(name))
if (cases.length === 0) throw new Error(`there is no case ${values.only}`)

const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} processors, Linux ${release()}, Node ${process.version}`
/** Of the last minute: beyond the bench's own two, what else the machine was busy with. */
const load = () => loadavg()[0]!.toFixed(1)
const loadBefore = load()
console.log(`minicloud bench, ${new Date().toISOString().slice(0, 10)}: ${machine}`)
const results: CaseResult[] = []
const broken: string[] = []
for (const { name, run } of cases) {
  try {
    const result = await run()
    results.push(result)
    print(result)
  } catch (error) {
    broken.push(name)
    console.log(`\n${name}: broken`)
    console.error(error)
  }
}

const judged = results.flatMap(({ rows }) => rows).filter(({ met }) => met !== undefined)
const missed = judged.filter(({ met }) => met === false).length
console.log(
  `\n${judged.length - missed} of ${judged.length} bars met${broken.length > 0 ? `; broken: ${broken.join(', ')}` : ''}; load average ${loadBefore} before, ${load()} after`,
)
if (values.json)
  writeFileSync(
    values.json,
    `${JSON.stringify({ date: new Date().toISOString(), machine, loadBefore, loadAfter: load(), results, broken }, null, 2)}\n`,
  )
process.exitCode = broken.length > 0 ? 1 : 0
