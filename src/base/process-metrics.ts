/** What a process takes up, and how long its event loop keeps others waiting; by the names that Prometheus' own clients use. */
import { readdirSync } from 'node:fs'
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { type Family, Histogram, line, readOut } from './metric-families.ts'

const collections: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
}

type Collection = PerformanceEntry & { detail: { kind: number } }

/** Observes from now on, for as long as the process lives. */
export function observeProcess(): Family[] {
  const { node } = process.versions
  return [
    readOut('minicloud_process_cpu_user_seconds_total', 'Processor time in user mode.', () => process.cpuUsage().user / 1e6, 'counter'),
    readOut(
      'minicloud_process_cpu_system_seconds_total',
      'Processor time in the kernel.',
      () => process.cpuUsage().system / 1e6,
      'counter',
    ),
    readOut('minicloud_process_cpu_seconds_total', 'Both together.', () => cpuSeconds(), 'counter'),
    readOut('minicloud_process_start_time_seconds', 'Start of the process, Unix time.', () => performance.timeOrigin / 1000),
    readOut('minicloud_process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss()),
    readOut('minicloud_process_open_fds', 'Open file descriptors.', () => readdirSync('/proc/self/fd').length),
    readOut('minicloud_nodejs_heap_size_total_bytes', 'The heap.', () => process.memoryUsage().heapTotal),
    readOut('minicloud_nodejs_heap_size_used_bytes', 'What is used of the heap.', () => process.memoryUsage().heapUsed),
    readOut('minicloud_nodejs_external_memory_bytes', 'Memory of buffers.', () => process.memoryUsage().external),
    readOut('minicloud_nodejs_active_resources_total', 'What keeps the event loop alive.', () => process.getActiveResourcesInfo().length),
    {
      name: 'minicloud_nodejs_version_info',
      help: 'Node.js.',
      type: 'gauge',
      lines: () => [line('minicloud_nodejs_version_info', { version: `v${node}` }, 1)],
    },
    ...eventLoop(),
    garbageCollection(),
  ]
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const ns = 1e9

/** Each reading of them all begins anew. */
function eventLoop(): Family[] {
  const delay = monitorEventLoopDelay()
  delay.enable()
  const lag = (what: string, help: string, read: () => number) =>
    readOut(`minicloud_nodejs_eventloop_lag_${what}_seconds`, help, () => read() / ns)
  const percentile = (n: number) => lag(`p${n}`, `The ${n}th percentile of the event loop's delays.`, () => delay.percentile(n))
  const last = percentile(99)
  return [
    lag('min', "The shortest of the event loop's delays since they were last read.", () => delay.min),
    lag('max', 'The longest of them.', () => delay.max),
    lag('mean', 'Their mean.', () => delay.mean),
    lag('stddev', 'Their standard deviation.', () => delay.stddev),
    percentile(50),
    percentile(90),
    {
      ...last,
      lines() {
        const lines = last.lines()
        delay.reset()
        return lines
      },
    },
  ]
}

function garbageCollection(): Family {
  const bounds = [0.001, 0.01, 0.1, 1, 2, 5]
  const seconds = new Histogram<'kind'>('minicloud_nodejs_gc_duration_seconds', 'Time that each garbage collection took, by kind.', bounds)
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries() as Collection[])
      seconds.observe({ kind: collections[detail.kind] ?? 'other' }, duration / 1000)
  })
  observer.observe({ entryTypes: ['gc'] })
  return seconds.family
}
