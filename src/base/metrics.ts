/** Metrics of one cloud as Prometheus reads them, format 0.0.4. Each cloud has its own, so that several can live in one process. */
import { Counter, Histogram, readOut } from './metric-families.ts'
import { observeProcess } from './process-metrics.ts'

export type Metrics = {
  requestSeconds: Histogram<'service' | 'operation' | 'status'>
  sagas: Counter<'saga' | 'outcome'>
  /** A gauge whose value is asked for when metrics are read. */
  gauge(name: string, help: string, read: () => number): void
  /** The text that `/metrics` answers. */
  text(): string
  contentType: string
}

export function makeMetrics({ process = true }: { process?: boolean } = {}): Metrics {
  const requestSeconds = new Histogram<'service' | 'operation' | 'status'>(
    'minicloud_request_seconds',
    'Time from request to the last byte handed to the socket.',
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
  )
  const sagas = new Counter<'saga' | 'outcome'>('minicloud_sagas_total', 'Sagas ended, by outcome.')
  const families = [requestSeconds.family, sagas.family, ...(process ? observeProcess() : [])]
  return {
    requestSeconds,
    sagas,
    gauge(name, help, read) {
      families.push(readOut(name, help, read))
    },
    text: () =>
      families.flatMap(({ name, help, type, lines }) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines(), '']).join('\n'),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  }
}
