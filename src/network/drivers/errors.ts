/** What may go wrong on the host side of networks. Neither text is for clients: it names devices and commands of the host. */

/** A plan holds something that must not reach a command line, a rule or a configuration file. Nothing was changed. */
export class InvalidPlan extends Error {
  override readonly name = 'InvalidPlan'
}

/** A program of the host failed, was missing, or took too long. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly command: string
  /** Null when it did not run to its end. */
  readonly exitCode: number | null
  readonly stderr: string

  constructor(command: string, exitCode: number | null, stderr: string, cause?: unknown) {
    super(`${command}: ${stderr.trim() || (exitCode === null ? 'did not run' : `exit ${exitCode}`)}`, { cause })
    this.command = command
    this.exitCode = exitCode
    this.stderr = stderr
  }
}
