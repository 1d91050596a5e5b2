/** Refusals of query parameters that are looked at by hand, worded as the schemas' own. */
import { type CloudError, invalid } from '../../base/errors.ts'
import { misfit, repr } from '../../base/http/index.ts'

/** `is` says what is wrong with the value: "is not a 'regex'". */
export const wrongQuery = (name: string, value: string, is: string): CloudError =>
  invalid(misfit('query parameters', name, value, `${repr(value)} ${is}`))

export const wrongChoice = (name: string, value: string, allowed: readonly unknown[]): CloudError =>
  wrongQuery(name, value, `is not one of ${repr(allowed)}`)
