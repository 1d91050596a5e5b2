/** Prometheus metrics of one cloud. Each cloud has its own registry, so that several can live in one process. */
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import Registry from 'prom-client/lib/registry.js'

export type Metrics = {
  requestSeconds: Histogram<'service' | 'operation' | 'status'>
  sagas: Counter<'saga' | 'outcome'>
  /** A gauge whose value is asked for when metrics are read. */
  gauge(name: string, help: string, read: () => number): void
  /** The text that `/metrics` answers; from the first one on also what the process takes up, and how long its event loop keeps others waiting. */
  text(): Promise<string>
  contentType: string
}

export function makeMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  let observing: Promise<void> | undefined
  return {
    requestSeconds: new Histogram({
      name: 'minicloud_request_seconds',
      help: 'Time from request to the last byte handed to the socket.',
      labelNames: ['service', 'operation', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    sagas: new Counter({ name: 'minicloud_sagas_total', help: 'Sagas ended, by outcome.', labelNames: ['saga', 'outcome'], registers }),
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    },
    async text() {
      observing ??= observeProcess(registry)
      await observing
      return await registry.metrics()
    },
    contentType: registry.contentType,
  }
}

async function observeProcess(register: Registry): Promise<void> {
  const { default: collectDefaultMetrics } = await import('prom-client/lib/defaultMetrics.js')
  collectDefaultMetrics({ register, prefix: 'minicloud_' })
}
