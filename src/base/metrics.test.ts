import { expect, test } from 'vitest'
import { makeMetrics } from './metrics.ts'

test('metrics are read as Prometheus writes them', async () => {
  const metrics = makeMetrics()
  const request = { service: 'compute', operation: 'servers:"list"\n', status: 200 }
  for (const seconds of [0.001, 0.002, 7]) metrics.requestSeconds.observe(request, seconds)
  metrics.sagas.inc({ saga: 'build-server/1', outcome: 'done' })
  metrics.sagas.inc({ saga: 'build-server/1', outcome: 'done' })
  let open = 1
  metrics.gauge('minicloud_console_sessions', 'Consoles that are open.', () => open)
  open = 3
  const labels = 'service="compute",operation="servers:\\"list\\"\\n",status="200"'
  const text = await metrics.text()
  const lines = text.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE minicloud_request_seconds histogram',
      `minicloud_request_seconds_bucket{le="0.001",${labels}} 1`,
      `minicloud_request_seconds_bucket{le="0.0025",${labels}} 2`,
      `minicloud_request_seconds_bucket{le="5",${labels}} 2`,
      `minicloud_request_seconds_bucket{le="+Inf",${labels}} 3`,
      `minicloud_request_seconds_sum{${labels}} 7.003`,
      `minicloud_request_seconds_count{${labels}} 3`,
      '# TYPE minicloud_sagas_total counter',
      'minicloud_sagas_total{saga="build-server/1",outcome="done"} 2',
      'minicloud_console_sessions 3',
    ]),
  )
  expect(lines.slice(0, 2)).toEqual([
    '# HELP minicloud_request_seconds Time from request to the last byte handed to the socket.',
    '# TYPE minicloud_request_seconds histogram',
  ])
  expect(text.endsWith('\n')).toBe(true)
})

test('those of the process have each one value', async () => {
  const text = await makeMetrics().text()
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds', 'nodejs_heap_size_used_bytes'])
    expect(Number(new RegExp(`^minicloud_${name} (\\S+)$`, 'm').exec(text)?.[1])).toBeGreaterThan(0)
  expect(text).toMatch(/^minicloud_nodejs_eventloop_lag_p99_seconds \S+$/m)
})
