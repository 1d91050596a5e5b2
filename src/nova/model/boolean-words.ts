/**
 * Yes and no as extra specs, image properties and query parameters spell them.
 *
 * @see https://docs.openstack.org/oslo.utils/latest/reference/strutils.html#oslo_utils.strutils.bool_from_string
 */
const trueWords = new Set(['1', 't', 'true', 'on', 'y', 'yes'])
const falseWords = new Set(['0', 'f', 'false', 'off', 'n', 'no'])
/** All of them, as a refusal lists them. */
export const booleanWords: readonly string[] = [...trueWords, ...falseWords].sort()

/** `null` for what is no such word. */
export function booleanWord(text: string): boolean | null {
  const word = text.trim().toLowerCase()
  if (trueWords.has(word)) return true
  return falseWords.has(word) ? false : null
}

/** Whether the text says yes; what is missing or no such word does not. */
export const saysYes = (text: string | undefined): boolean => text !== undefined && booleanWord(text) === true
