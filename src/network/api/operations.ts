import { type AnyOperation, operation } from '../../base/http/index.ts'
import type { ApiDeps } from './service.ts'
export const v2Root = operation<ApiDeps>({ method: 'GET', path: '/', status: 200, auth: 'none', handle: () => ({ resources: [] }) })
export const operations: AnyOperation<ApiDeps>[] = []
