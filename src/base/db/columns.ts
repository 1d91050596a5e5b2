/**
 * Columns as SQLAlchemy's SQLite dialect writes them, so that a program with Nova's models can read our file.
 *
 * DATETIME is text `YYYY-MM-DD HH:MM:SS.ffffff` in UTC and stays text inside (see `clock.ts`), BOOLEAN is 0 or 1,
 * JSON is text. Soft-deleted rows carry `deleted = id`, and unique keys include `deleted`.
 *
 * For `tables.ts` alone, from which migrations are generated: the running cloud speaks SQL, and does not load Drizzle (0.4 s and
 * 140 MiB).
 *
 * @see https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
 */
import { customType, integer } from 'drizzle-orm/sqlite-core'

export const datetime = customType<{ data: string; driverData: string }>({ dataType: () => 'DATETIME' })

export const boolean = customType<{ data: boolean; driverData: number }>({
  dataType: () => 'BOOLEAN',
  toDriver: (value) => (value ? 1 : 0),
  fromDriver: (value) => value !== 0,
})

/** `VARCHAR(n)`: SQLite ignores the length, SQLAlchemy's reflection and people do not. */
export const varchar = customType<{ data: string; driverData: string; config: { length: number } }>({
  dataType: (config) => `VARCHAR(${config?.length ?? 255})`,
})

export const json = <T>() =>
  customType<{ data: T; driverData: string }>({
    dataType: () => 'TEXT',
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (value) => JSON.parse(value) as T,
  })

/** `created_at`, `updated_at`: in every table. */
export const timestamps = { created_at: datetime('created_at'), updated_at: datetime('updated_at') }

/** For tables whose rows stay after deletion. `deleted` is 0 while the row lives, its id afterwards. */
export const softDelete = { deleted_at: datetime('deleted_at'), deleted: integer('deleted').default(0) }
