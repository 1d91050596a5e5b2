/** What the scheduler throws when no host will do. */

/** One host, and what turned it away. */
export type Rejection = { readonly host: string; readonly filter: string; readonly reason: string }

export class NoValidHost extends Error {
  readonly rejections: readonly Rejection[]
  /** A sentence that is safe for the user: what was short, no host's name. */
  readonly hint: string

  constructor(rejections: readonly Rejection[], hint: string) {
    super(`No valid host was found. ${hint}`)
    this.name = 'NoValidHost'
    this.rejections = rejections
    this.hint = hint
  }

  /** One line a host, for the log and for administrators. */
  details(): string {
    return this.rejections.length === 0
      ? 'No compute host has reported itself.'
      : this.rejections.map(({ host, filter, reason }) => `${host}: ${filter}: ${reason}`).join('\n')
  }
}
