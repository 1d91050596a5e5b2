/** What the tests of the real clients work at: one cloud of three pretended hosts, and clients of several ages. */
import type { Client, Clients } from '../../support/client.ts'
import type { ServeProcess } from '../../support/process.ts'

export const hosts = ['host1', 'host1-2', 'host1-3'] as const
/** The newest microversion that the installed client speaks. */
export const newest = '2.92'

export type Desk = {
  cloud: ServeProcess
  clients: Clients
  /** At 2.1. A client that is told no version asks for 2.1 in some commands, and for the newest it knows in others. */
  old: Client
  recent: Client
  /** An ordinary user. */
  demo: Client
  at(version: string): Client
}

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks into
export const column = (rows: any[], name: string): any[] => rows.map((row) => row[name])
