export { Database, type DatabaseOptions, type Question } from './database.ts'
export { migrations, schemaVersion } from './migrate.ts'
export { explainTrouble } from './trouble.ts'
