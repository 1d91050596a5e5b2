/**
 * Options, declared once by the room that uses them: type, default, environment name, documentation and the sample file
 * follow from the declaration. Names and meanings are nova.conf's where minicloud means the same.
 *
 * @see https://docs.openstack.org/nova/latest/configuration/config.html
 */
export type Option<T> = {
  readonly doc: string
  readonly default: T
  /** The option's name in the file; by default the key in snake_case. */
  readonly name: string | undefined
  readonly secret: boolean
  /** May stand several times in a file, a value each time. */
  readonly many?: boolean
  /** What it takes, in a word, for the reference. */
  readonly type: string
  /** @throws {Error} whose message says what was expected. */
  readonly parse: (text: string) => T
}

type Declared<T> = { default: T; doc: string; name?: string }

const option = <T>(type: string, declared: Declared<T>, parse: (text: string) => T, isSecret = false): Option<T> => ({
  type,
  doc: declared.doc,
  default: declared.default,
  name: declared.name,
  secret: isSecret,
  parse,
})

const expected = (what: string, text: string): Error => new Error(`expected ${what}, got "${text}"`)

/** Any text. */
export const text = (declared: Declared<string>) => option('text', declared, (value) => value)

/** A text that no listing, log or reference ever prints. */
export const secret = (declared: Declared<string>) => option('secret', declared, (value) => value, true)

/** Items between commas. */
export const list = (declared: Declared<string[]>) =>
  option('list', declared, (value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )

/** Between the values of an option that stands several times; no file holds it. */
export const manySeparator = '\u0000'

/** An option that may stand several times (oslo's MultiStrOpt): all its values, in the order of the file. */
export const many = (declared: Declared<string[]>): Option<string[]> => ({
  ...option('text, may be repeated', declared, (value) => value.split(manySeparator)),
  many: true,
})

/** One of these words, as they are written. */
export const choice = <const T extends string>(choices: readonly T[], declared: Declared<NoInfer<T>>): Option<T> =>
  option(choices.join(' | '), declared as Declared<T>, (value) => {
    const found = choices.find((item) => item === value)
    if (found === undefined) throw expected(`one of ${choices.join(', ')}`, value)
    return found
  })

const words: Record<string, boolean> = {
  1: true,
  t: true,
  true: true,
  on: true,
  y: true,
  yes: true,
  0: false,
  f: false,
  false: false,
  off: false,
  n: false,
  no: false,
}

/** `true`, `yes`, `on`, `1` and their opposites, in any case. */
export const bool = (declared: Declared<boolean>) =>
  option('boolean', declared, (value) => {
    const found = Object.hasOwn(words, value.toLowerCase()) ? words[value.toLowerCase()] : undefined
    if (found === undefined) throw expected('true or false', value)
    return found
  })

type Bounds = { min?: number; max?: number }

const bounded = (value: string, number: number, { min = -Infinity, max = Infinity }: Bounds): number => {
  if (!/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value) || !Number.isFinite(number)) throw expected('a number', value)
  if (number < min || number > max) throw expected(`a number from ${min} to ${max}`, value)
  return number
}

/** A whole number within bounds, both inclusive. */
export const int = (declared: Declared<number> & Bounds) =>
  option('integer', declared, (value) => {
    const number = bounded(value, Number(value), declared)
    if (!Number.isInteger(number)) throw expected('a whole number', value)
    return number
  })

/** A number within bounds, both inclusive. */
export const float = (declared: Declared<number> & Bounds) => option('number', declared, (value) => bounded(value, Number(value), declared))

// biome-ignore lint/suspicious/noExplicitAny: a section holds options of every type
export type Options = Record<string, Option<any>>
export type Section<O extends Options = Options> = { readonly name: string; readonly options: O }
export type SectionValues<S> = S extends Section<infer O> ? { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never } : never

/** Declares a section. */
export const section = <const O extends Options>(name: string, options: O): Section<O> => ({ name, options })

/** `maxAttempts` → `max_attempts`. */
export const optionName = (key: string, declared: Pick<Option<unknown>, 'name'>): string =>
  declared.name ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** `MINICLOUD_SCHEDULER_MAX_ATTEMPTS`; options of `[DEFAULT]` and `[minicloud]` leave the section out: `MINICLOUD_DATA_DIR`. */
export const environmentName = (sectionName: string, name: string): string =>
  ['minicloud', ...(sectionName === 'DEFAULT' || sectionName === 'minicloud' ? [] : [sectionName]), name].join('_').toUpperCase()
