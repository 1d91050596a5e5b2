/** What is wrong with a policy file, and where. Apart from its reader, which is loaded when there is a file to read. */

/** Bytes. */
export const largestFile = 1024 * 1024

export class PolicyFileError extends Error {
  constructor(file: string, line: number | null, why: string) {
    super(`${file}${line === null ? '' : `:${line}`}: ${why}`)
  }
}
