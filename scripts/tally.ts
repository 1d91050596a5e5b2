/**
 * Counts what `test.sh` ran: `N passed, N failed`. A check without a report counts as one, and so does a test file that broke
 * outside of its tests. Ends with 1 when anything failed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

type Report = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: { name: string; status: string; message: string; assertionResults: { status: string }[] }[]
}

const [folder = '.'] = process.argv.slice(2)
const failures: string[] = []
let passed = 0
let skipped = 0
let failedTests = 0

for (const file of readdirSync(folder).filter((name) => name.endsWith('.code'))) {
  const code = readFileSync(join(folder, file), 'utf8')
  const name = file.slice(0, -'.code'.length)
  const report = join(folder, `${name}.json`)
  if (!existsSync(report)) {
    if (code === '0') passed += 1
    else failures.push(code === '124' || code === '137' ? `${name} took too long` : `${name} ended with ${code}`)
    continue
  }
  const found = JSON.parse(readFileSync(report, 'utf8')) as Report
  passed += found.numPassedTests
  failedTests += found.numFailedTests
  skipped += found.numPendingTests + found.numTodoTests
  const broken = found.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  for (const one of broken) failures.push(`${one.name}: ${one.message.split('\n')[0]}`)
  if (code !== '0' && found.numFailedTests + broken.length === 0) failures.push(`${name} ended with ${code}: an error outside of the tests`)
}
for (const failure of failures) console.log(`failed: ${failure}`)
const failed = failedTests + failures.length
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
