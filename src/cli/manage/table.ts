/**
 * Tables as nova-manage prints them (Python's PrettyTable), since scripts take them apart.
 *
 * @see https://prettytable.readthedocs.io/
 */

/** Where a cell is one short, the spare blank goes right of an odd text and left of an even one, as PrettyTable has it. */
function centred(text: string, width: number): string {
  const spare = width - text.length
  const left = text.length % 2 === 1 ? Math.floor(spare / 2) : Math.ceil(spare / 2)
  return `${' '.repeat(left)}${text}${' '.repeat(spare - left)}`
}

type Layout = { align?: 'center' | 'left'; ruled?: boolean }

/** A cell may have several lines; `ruled` draws a line under each row. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { align = 'center', ruled = false }: Layout = {},
): string {
  const lines = [headings, ...rows].map((row) => row.map((cell) => cell.split('\n')))
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((row) => Math.max(0, ...(row[column] ?? []).map(({ length }) => length)))),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const drawn = lines.map((row) =>
    Array.from({ length: Math.max(...row.map(({ length }) => length)) }, (_, line) => {
      const cells = widths.map((width, column) => {
        const text = row[column]?.[line] ?? ''
        return align === 'left' ? text.padEnd(width) : centred(text, width)
      })
      return `| ${cells.join(' | ')} |`
    }).join('\n'),
  )
  const [head = '', ...body] = drawn
  const between = ruled ? `\n${rule}\n` : '\n'
  return [rule, head, rule, ...(body.length === 0 ? [] : [body.join(between), rule])].join('\n')
}

/** Names and values, as oslo's `format_dict` shows them. */
export const pairs = (name: string, value: string, entries: Iterable<readonly [string, unknown]>): string =>
  table(
    [name, value],
    [...entries].map(([key, of]) => [key, String(of)]),
    { align: 'left' },
  )
