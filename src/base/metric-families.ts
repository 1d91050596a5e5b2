/**
 * Kinds of metrics, each with the lines that Prometheus reads of it.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */

type Labels = Readonly<Record<string, string | number>>
/** As in a line; `''` where there are none. */
type LabelText = string

export type Family = { name: string; help: string; type: 'counter' | 'gauge' | 'histogram'; lines: () => string[] }

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const labelText = (labels: Labels): LabelText => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

export const line = (name: string, labels: Labels, value: number): string => `${name}${labelText(labels)} ${value}`

export class Counter<Name extends string> {
  readonly family: Family
  readonly #values = new Map<LabelText, number>()

  constructor(name: string, help: string) {
    this.family = { name, help, type: 'counter', lines: () => [...this.#values].map(([labels, value]) => `${name}${labels} ${value}`) }
  }

  inc(labels: Readonly<Record<Name, string | number>>): void {
    const text = labelText(labels)
    this.#values.set(text, (this.#values.get(text) ?? 0) + 1)
  }
}

/** `counts` by bucket, the last for what is above all bounds. */
type Observed = { labels: Labels; counts: number[]; sum: number }

export class Histogram<Name extends string> {
  readonly family: Family
  readonly #bounds: readonly number[]
  readonly #observed = new Map<LabelText, Observed>()

  /** `bounds`: the upper ends of its buckets, rising. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#bounds = bounds
    this.family = { name, help, type: 'histogram', lines: () => [...this.#observed.values()].flatMap((one) => this.#lines(name, one)) }
  }

  observe(labels: Readonly<Record<Name, string | number>>, value: number): void {
    const text = labelText(labels)
    let observed = this.#observed.get(text)
    if (!observed) {
      observed = { labels, counts: new Array(this.#bounds.length + 1).fill(0), sum: 0 }
      this.#observed.set(text, observed)
    }
    const above = this.#bounds.findIndex((bound) => value <= bound)
    const bucket = above < 0 ? this.#bounds.length : above
    observed.counts[bucket] = (observed.counts[bucket] ?? 0) + 1
    observed.sum += value
  }

  #lines(name: string, { labels, counts, sum }: Observed): string[] {
    let count = 0
    const buckets = counts.map((more, i) => {
      count += more
      return line(`${name}_bucket`, { ...labels, le: this.#bounds[i] ?? '+Inf' }, count)
    })
    return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count)]
  }
}

/** A value that is asked for when metrics are read. */
export const readOut = (name: string, help: string, read: () => number, type: 'counter' | 'gauge' = 'gauge'): Family => ({
  name,
  help,
  type,
  lines: () => [line(name, {}, read())],
})
