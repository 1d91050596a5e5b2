/** How commands speak, what they may touch of the process that runs them, and how an expected failure looks. */
import { styleText } from 'node:util'
import { ConfigError } from '../base/config/index.ts'
import { CloudError } from '../base/errors.ts'

export type Shell = {
  env: Record<string, string | undefined>
  /** Starts this program anew. */
  self: string[]
}

/** What went wrong and what to do, in one line for the user; no stack. */
export class CommandFailed extends Error {}

export const out = (line: string): void => void process.stdout.write(`${line}\n`)
export const err = (line: string): void => void process.stderr.write(`${line}\n`)
export const outJson = (value: unknown): void => out(JSON.stringify(value, null, 2))

/** Coloured where a person looks, and not where NO_COLOR says so. */
export const paint = (style: Parameters<typeof styleText>[0], text: string): string => styleText(style, text, { stream: process.stdout })

/** Whether the message alone tells the user enough: the system's own refusals, and what we throw on purpose. */
export function isExpected(error: unknown): error is Error {
  if (error instanceof CommandFailed || error instanceof CloudError || error instanceof ConfigError) return true
  return error instanceof Error && 'syscall' in error && 'code' in error
}

/** As one word of a POSIX shell. */
export const shellQuoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
