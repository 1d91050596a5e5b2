/**
 * JSON logs by pino, with secrets cut out by name wherever they stand in a logged object.
 *
 * Rooms take a `Log` and add fields with `child`; nothing else knows pino.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

const secretNames = [
  'password',
  'adminPass',
  'admin_pass',
  'token',
  'secret',
  'user_data',
  'authorization',
  'x-auth-token',
  'x-subject-token',
  'private_key',
]

export type LogOptions = { level?: string; stream?: DestinationStream }

/**
 * Lines go to standard error without making anyone wait. At exit the last ones are written; a reader that went away ends
 * the log and not the cloud.
 */
export function makeLog({ level = 'info', stream }: LogOptions = {}): Log {
  const redact = { paths: secretNames.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: '***' }
  return pino({ level, redact, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream ?? destination({ fd: 2, sync: false }))
}

/** A log that says nothing, for tests. */
export const silentLog = (): Log => pino({ level: 'silent' })
