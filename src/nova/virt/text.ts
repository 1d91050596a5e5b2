/** Texts that come from clients and guests, made fit for logs and documents. */

/** The last `lines` lines; all when null. A final line break ends a line and begins none. */
export function lastLines(text: string, lines: number | null): string {
  if (lines === null) return text
  if (lines <= 0) return ''
  let from = text.endsWith('\n') ? text.length - 1 : text.length
  for (let left = lines; left > 0; left--) {
    if (from === 0) return text
    from = text.lastIndexOf('\n', from - 1)
    if (from < 0) return text
  }
  return text.slice(from + 1)
}

/** One line without control characters, at most `max` characters. */
export const oneLine = (text: string, max = 255): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]+/g, ' ').slice(0, max)

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const isUuid = (text: string): boolean => uuidForm.test(text)

/** Guests' uuids become file names: nothing else may. @throws {TypeError} */
export function checkedUuid(uuid: string): string {
  if (!isUuid(uuid)) throw new TypeError(`not a guest's uuid: ${oneLine(uuid, 40)}`)
  return uuid
}
