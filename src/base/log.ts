/**
 * JSON logs by pino, with secrets cut out by name wherever they stand in a logged object.
 *
 * Rooms take a `Log` and add fields with `child`; nothing else knows pino.
 */
import { type ChildLoggerOptions, type DestinationStream, destination, type Logger, pino } from 'pino'

export type Log = Logger

/** Lower case; compared without regard to it. */
const secretNames = new Set([
  'password',
  'adminpass',
  'admin_pass',
  'token',
  'secret',
  'user_data',
  'authorization',
  'x-auth-token',
  'x-subject-token',
  'private_key',
])

/** How far into a logged object names are looked at. */
const deepest = 3

/** The thing itself when it holds no secret, else a copy without; pino's own redaction costs as much as a whole request. */
function masked(thing: unknown, depth = deepest): unknown {
  if (typeof thing !== 'object' || thing === null || ArrayBuffer.isView(thing)) return thing
  const source = thing as Record<string, unknown>
  let copy: Record<string, unknown> | undefined
  for (const name of Object.keys(source)) {
    const value = source[name]
    const shown = secretNames.has(name.toLowerCase()) ? '***' : depth > 1 ? masked(value, depth - 1) : value
    if (shown === value) continue
    copy ??= copyOf(thing)
    copy[name] = shown
  }
  return copy ?? thing
}

function copyOf(thing: object): Record<string, unknown> {
  if (Array.isArray(thing)) return { ...thing }
  const copy = Object.assign(Object.create(Object.getPrototypeOf(thing)), thing)
  // What an error has by itself is not enumerable.
  return thing instanceof Error ? Object.assign(copy, { message: thing.message, stack: thing.stack, cause: thing.cause }) : copy
}

const maskedObject = (thing: Record<string, unknown>) => masked(thing) as Record<string, unknown>

const gatheredBytes = 4096
const gatheredMs = 50

export type LogOptions = { level?: string; stream?: DestinationStream }

/**
 * Lines go to standard error without making anyone wait, gathered for a moment: a write costs more than all else about a
 * line. At exit the last ones are written; a reader that went away ends the log and not the cloud.
 */
export function makeLog({ level = 'info', stream }: LogOptions = {}): Log {
  const options = { level, formatters: { log: maskedObject }, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const log: Log = pino(options, stream ?? gathering())
  // Formatters see a line's own fields only; children inherit this.
  const { child } = log
  log.child = function (this: Log, bindings: Record<string, unknown>, childOptions?: ChildLoggerOptions) {
    return Reflect.apply(child, this, [maskedObject(bindings), childOptions])
  } as unknown as typeof child
  return log
}

/** Standard error, written when lines have come together; a clock that runs while nobody says anything would wake a resting process. */
function gathering(): DestinationStream {
  const stream = destination({ fd: 2, sync: false, minLength: gatheredBytes })
  const write = stream.write.bind(stream)
  let isArmed = false
  stream.write = (line: string) => {
    if (!isArmed) {
      isArmed = true
      setTimeout(() => {
        isArmed = false
        // What a write under way leaves behind takes a second time.
        stream.flush(() => stream.flush(() => undefined))
      }, gatheredMs).unref()
    }
    return write(line)
  }
  return stream
}

/** A log that says nothing, for tests. */
export const silentLog = (): Log => pino({ level: 'silent' })
