export { Database, type DatabaseOptions } from './database.ts'
export { migrations, schemaVersion } from './migrate.ts'
export { explainTrouble } from './trouble.ts'
