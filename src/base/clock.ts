/**
 * Time, as something that is handed in: the system's, or one that a test moves by hand.
 *
 * Durations are milliseconds. `text()` is the form in which SQLAlchemy's SQLite dialect writes a DATETIME, in UTC; such
 * texts sort as their times do, so the rooms keep times as these texts and turn them to another form only in a view.
 */
export type Timer = { cancel(): void }

export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** `YYYY-MM-DD HH:MM:SS.ffffff`, UTC. */
  text(): string
  /** Calls once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, call: () => void): Timer
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** `YYYY-MM-DD HH:MM:SS.ffffff` of a time in milliseconds since the epoch. */
export function timeText(epochMs: number): string {
  const iso = new Date(epochMs).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}000`
}

/** Milliseconds since the epoch of a database time. */
export const timeOf = (text: string): number => Date.parse(`${text.slice(0, 10)}T${text.slice(11, 23)}Z`)

/** `2026-01-02T03:04:05Z`, the form of `created` and `updated`. */
export const isoSeconds = (text: string): string => `${text.slice(0, 10)}T${text.slice(11, 19)}Z`

/** `2026-01-02T03:04:05.000000`, the form of `launched_at` and of most other times. */
export const isoMicros = (text: string): string => `${text.slice(0, 10)}T${text.slice(11)}`

/** `2026-01-02T03:04:05.000000Z`, Keystone's form. */
export const isoMicrosZ = (text: string): string => `${text.slice(0, 10)}T${text.slice(11)}Z`

function sleepOn(clock: Pick<Clock, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}

export function systemClock(): Clock {
  const after = (delayMs: number, call: () => void): Timer => {
    const handle = setTimeout(call, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  }
  return {
    now: () => Date.now(),
    text: () => timeText(Date.now()),
    after,
    sleep: (delayMs, signal) => sleepOn({ after }, delayMs, signal),
  }
}

export type ManualClock = Clock & {
  /** Moves time on and fires, in order, all that falls due; `'30 s'`, `'5 min'` or milliseconds. */
  advance(by: number | string): Promise<void>
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

function durationMs(by: number | string): number {
  if (typeof by === 'number') return by
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)$/.exec(by)
  if (!match) throw new RangeError(`not a duration: ${by}`)
  return Number(match[1]) * (unitMs[match[2] ?? ''] ?? 1)
}

export function manualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = startMs
  let due: { atMs: number; call: () => void }[] = []
  const after = (delayMs: number, call: () => void): Timer => {
    const entry = { atMs: nowMs + delayMs, call }
    due.push(entry)
    return {
      cancel: () => {
        due = due.filter((other) => other !== entry)
      },
    }
  }
  /** Lets promise chains that hang on a fired timer run before the next timer fires. */
  const breathe = () => new Promise<void>((resolve) => setImmediate(resolve))
  return {
    now: () => nowMs,
    text: () => timeText(nowMs),
    after,
    sleep: (delayMs, signal) => sleepOn({ after }, delayMs, signal),
    async advance(by) {
      const untilMs = nowMs + durationMs(by)
      await breathe()
      for (;;) {
        const next = due.filter((entry) => entry.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
        if (!next) break
        due = due.filter((entry) => entry !== next)
        nowMs = Math.max(nowMs, next.atMs)
        next.call()
        await breathe()
      }
      nowMs = untilMs
      await breathe()
    },
  }
}
