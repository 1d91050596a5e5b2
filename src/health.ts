/** `/healthz` (alive), `/readyz` (seeded and reconciled), `/metrics`, and what the root says to a person. */
import { type Dialect, operation, Reply, type Service } from './base/http/index.ts'
import type { Metrics } from './base/metrics.ts'

export type Health = { isReady: boolean; service: Service<Health> }

const plain: Dialect = {
  render: ({ status, title, message }) => ({ error: { code: status, title, message } }),
  wrongMethod: 405,
  overQuota: 403,
}
const text = (status: number, body: string, type = 'text/plain; charset=UTF-8') =>
  new Reply({ status, headers: { 'content-type': type, 'cache-control': 'no-store' }, body })

const services = ['identity', 'compute', 'image', 'network', 'placement'] as const

export function makeHealth(metrics: Metrics): Health {
  const open = { method: 'GET', status: 200, auth: 'none' } as const
  const operations = [
    operation({ ...open, path: '/healthz', handle: () => text(200, 'ok\n') }),
    operation({
      ...open,
      path: '/readyz',
      errors: [503],
      handle: (_request, health: Health) => (health.isReady ? text(200, 'ready\n') : text(503, 'starting\n')),
    }),
    operation({ ...open, path: '/metrics', handle: async () => text(200, await metrics.text(), metrics.contentType) }),
    operation({
      ...open,
      path: '/',
      handle: ({ context }) => ({
        minicloud: { services: Object.fromEntries(services.map((name) => [name, `${context.origin}/${name}`])) },
      }),
    }),
  ]
  const health: Health = { isReady: false, service: undefined as never }
  health.service = { name: 'minicloud', dialect: plain, operations, deps: health }
  return health
}
