/** SQLite's own trouble, in the words of this project: what the machine cannot do is 503 with its remedy, never 500. */
import Sqlite from 'better-sqlite3'
import { messageOf, unavailable } from '../errors.ts'

/** SQLite's result codes that mean the machine, not the request, is at fault. */
const remedies: Record<string, string> = {
  SQLITE_FULL: 'The disk that holds the database is full.',
  SQLITE_BUSY: 'The database is locked by another program; try again.',
  SQLITE_LOCKED: 'The database is locked by another program; try again.',
  SQLITE_READONLY: 'The database cannot be written.',
  SQLITE_IOERR: 'The disk that holds the database reports an error.',
  SQLITE_CANTOPEN: 'The database cannot be opened.',
  SQLITE_CORRUPT: 'The database is damaged.',
  SQLITE_NOTADB: 'The file is not a database.',
}

/** Turns such trouble into a {@link CloudError} `unavailable` with the original as its cause; anything else passes as it is. */
export function explainTrouble(error: unknown): unknown {
  if (!(error instanceof Sqlite.SqliteError)) return error
  const code = Object.keys(remedies).find((name) => error.code === name || error.code.startsWith(`${name}_`))
  return code === undefined ? error : unavailable(remedies[code] ?? messageOf(error), { cause: error })
}
