export { boolean, datetime, json, softDelete, timestamps, varchar } from './columns.ts'
export { Database, type DatabaseOptions } from './database.ts'
export { migrations, schemaVersion } from './migrate.ts'
