/** What is known of a request so far, for the answer's headers, the log and the metrics. */
import type { Windowed } from './router.ts'
import type { Service } from './service.ts'

export type Trace = { requestId: string; operationId: string; versionHeaders: Record<string, string>; entry: Windowed | null }

export const requestIdHeaders = (service: Service, id: string): Record<string, string> =>
  service.tellsRequestId === false
    ? {}
    : service.name === 'compute'
      ? { 'x-compute-request-id': id, 'x-openstack-request-id': id }
      : { 'x-openstack-request-id': id }
