export { atLeast, type Principal, principalOf, type RequestContext } from './context.ts'
export { type Authenticate, Dispatcher } from './dispatch.ts'
export {
  type Dialect,
  escapeHtml,
  type Fault,
  identityDialect,
  imageDialect,
  networkDialect,
  novaDialect,
  placementDialect,
} from './faults.ts'
export { JsonPieces } from './json-pieces.ts'
export { kinds, nullable } from './kinds.ts'
export { type Microversions, type Version, version, versionText } from './microversion.ts'
export { type AnyOperation, ByteStream, type Incoming, type Method, type Operation, operation, Reply } from './operation.ts'
export { type Policies, PolicyEngine, PolicyFiles, policyConfig, type Scope, type Target } from './policy/index.ts'
export { operationId } from './router.ts'
export { addFormat, as, bodies, check, closed, type Ladder, type Parser, queries, type Rung } from './schema.ts'
export { misfit, repr } from './sentences.ts'
export { HttpServer, type HttpServerOptions, type UpgradeHandler } from './server.ts'
export { type Mount, mount, type Service } from './service.ts'
export { type Static, type TObject, type TProperties, type TSchema, Type } from './type.ts'
export { type FieldOf, field, type Shown, type View, view } from './view.ts'
