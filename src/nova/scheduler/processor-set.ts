/** Lists of processors, such as `0-3,^2,7`: numbers and ranges, without those that a caret takes out. */
import { invalid } from '../../base/errors.ts'

const most = 65_536
const inclusion = /^(\d{1,5})(?:-(\d{1,5}))?$/
const exclusion = /^\^(\d{1,5})$/

/** @throws {CloudError} `invalid`. */
export function processorSet(list: string): Set<number> {
  const [found, out] = [new Set<number>(), new Set<number>()]
  for (const part of list
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')) {
    const without = exclusion.exec(part)
    const [, first, last = first] = inclusion.exec(part) ?? []
    if (without) out.add(Number(without[1]))
    else if (first === undefined || Number(first) > Number(last) || Number(last) > most) throw invalid(`Invalid range expression '${part}'`)
    else for (let cpu = Number(first); cpu <= Number(last); cpu += 1) found.add(cpu)
  }
  return new Set([...found].filter((cpu) => !out.has(cpu)).sort((a, b) => a - b))
}
