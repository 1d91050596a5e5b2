/** The saga log: the only durable memory of multi-step work. A row of `saga_log` is never changed. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { datetime, json, timestamps, varchar } from '../db/columns.ts'

export const sagas = sqliteTable(
  'minicloud_sagas',
  {
    ...timestamps,
    id: integer('id').primaryKey({ autoIncrement: true }),
    /** The definition's name with its version: `build-server/1`. */
    name: varchar('name', { length: 64 }).notNull(),
    /** What it works on, usually an instance's uuid: sagas of one key run one after the other. */
    key: varchar('key', { length: 255 }).notNull(),
    /** running, undoing, done, undone, stuck. */
    state: varchar('state', { length: 16 }).notNull(),
    attempt: integer('attempt').notNull().default(1),
    input: json<unknown>()('input').notNull(),
    error: text('error'),
    request_id: varchar('request_id', { length: 255 }),
    /** 1 once another took its place: it turns back, after a restart too. */
    superseded: integer('superseded').notNull().default(0),
  },
  (table) => [index('minicloud_sagas_state_idx').on(table.state, table.updated_at), index('minicloud_sagas_key_idx').on(table.key)],
)

export const sagaLog = sqliteTable(
  'minicloud_saga_log',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    saga_id: integer('saga_id')
      .notNull()
      .references(() => sagas.id, { onDelete: 'cascade' }),
    attempt: integer('attempt').notNull(),
    step: varchar('step', { length: 64 }).notNull(),
    /** started, finished, failed, undone, undo-failed. */
    event: varchar('event', { length: 16 }).notNull(),
    output: text('output'),
    created_at: datetime('created_at').notNull(),
  },
  (table) => [index('minicloud_saga_log_saga_id_idx').on(table.saga_id)],
)
