/**
 * What a measurement is made of: a process's processor time and memory as the kernel counts them, and sums over samples.
 *
 * Processor time is user + system of all threads, in ms, with the kernel's 10 ms tick: measure spans of many ticks.
 *
 * @see https://man7.org/linux/man-pages/man5/proc.5.html
 */
import { readFileSync } from 'node:fs'

export type Row = {
  what: string
  value: string
  /** What it should be at most (or at least, where it says so). */
  bar?: string
  met?: boolean
}
export type CaseResult = { name: string; rows: Row[] }

const msPerTick = 10

/** @throws {Error} when the process is gone. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * msPerTick
}

/** Proportional set size: its own memory, and its share of what it has in common with others. @throws {Error} when the process is gone. */
export function pssMib(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}

/** The nearest-rank percentile; `part` between 0 and 1. */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startedAt = performance.now()
  const result = await work()
  return { ms: performance.now() - startedAt, result }
}

/** Three significant digits, and what they count. */
export const figure = (value: number, unit: string): string => {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return unit === '×' ? `${value.toFixed(2)} ×` : `${value.toFixed(digits)} ${unit}`
}

export const atMost = (what: string, value: number, unit: string, bar: number): Row => ({
  what,
  value: figure(value, unit),
  bar: `≤ ${bar} ${unit}`,
  met: value <= bar,
})

export const plain = (what: string, value: number, unit: string): Row => ({ what, value: figure(value, unit) })
