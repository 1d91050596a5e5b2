/**
 * Whether a value meets what an extra spec wants of it: `s== x`, `>= 4`, `<in> x`, `<or> a <or> b`, `<all-in> a b`; without
 * an operator the texts are equal.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#computecapabilitiesfilter
 */
type Test = (value: unknown, wanted: readonly string[]) => boolean

const number =
  (compare: (a: number, b: number) => boolean): Test =>
  (value, [wanted = '']) =>
    wanted !== '' && String(value).trim() !== '' && compare(Number(value), Number(wanted))
const words =
  (compare: (a: string, b: string) => boolean): Test =>
  (value, [wanted = '']) =>
    compare(String(value), wanted)
const contains = (value: unknown, wanted: string): boolean =>
  Array.isArray(value) ? value.map(String).includes(wanted) : String(value).includes(wanted)

const tests = new Map<string, Test>([
  ['=', number((a, b) => a >= b)],
  ['==', number((a, b) => a === b)],
  ['!=', number((a, b) => a !== b)],
  ['>=', number((a, b) => a >= b)],
  ['<=', number((a, b) => a <= b)],
  ['s==', words((a, b) => a === b)],
  ['s!=', words((a, b) => a !== b)],
  ['s<', words((a, b) => a < b)],
  ['s<=', words((a, b) => a <= b)],
  ['s>', words((a, b) => a > b)],
  ['s>=', words((a, b) => a >= b)],
  ['<in>', (value, [wanted = '']) => contains(value, wanted)],
  ['<all-in>', (value, wanted) => wanted.every((item) => contains(value, item))],
  ['<or>', (value, wanted) => wanted.filter((word) => word !== '<or>').includes(String(value))],
])

export function meetsSpec(value: unknown, spec: string): boolean {
  const [operator = '', ...wanted] = spec.trim().split(/\s+/)
  const test = tests.get(operator)
  return test ? test(value, wanted) : String(value) === spec
}

/** 7002022 is 7.2.22. */
export const versionText = (version: number): string =>
  [Math.floor(version / 1_000_000), Math.floor(version / 1000) % 1000, version % 1000].join('.')

/** Whether a hypervisor's version meets `>=6.0,<9`: what cannot be read it does not meet. */
export function meetsVersion(version: number, wanted: string): boolean {
  return wanted.split(',').every((part) => {
    const [, operator = '', numbers = ''] = /^\s*(<=|>=|==|!=|<|>)\s*(\d{1,4}(?:\.\d{1,3}){0,2})\s*$/.exec(part) ?? []
    const [major = 0, minor = 0, patch = 0] = numbers.split('.').map(Number)
    const than = major * 1_000_000 + minor * 1000 + patch
    if (operator === '<') return version < than
    if (operator === '<=') return version <= than
    if (operator === '>') return version > than
    if (operator === '>=') return version >= than
    if (operator === '!=') return version !== than
    return operator === '==' && version === than
  })
}
