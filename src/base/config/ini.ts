/**
 * Reads oslo.config's INI dialect. It differs from the common one where it hurts: a `#` or `;` begins a comment only at
 * the start of a line, nothing is an escape, `=` and `:` both separate, an indented line goes on with the value above,
 * an option may stand several times, and a pair of quotes around a value is dropped.
 *
 * @see https://docs.openstack.org/oslo.config/latest/reference/configopts.html
 */

export type IniEntry = { section: string; name: string; value: string }
export type Ini = {
  /** In the order of the file; an option that stands twice is here twice. */
  entries: IniEntry[]
  /** One sentence for each line that says nothing: `line 7: neither section, option nor comment`. */
  skipped: string[]
}

function unquoted(value: string): string {
  const quote = value[0]
  return value.length > 1 && (quote === '"' || quote === "'") && value.endsWith(quote) ? value.slice(1, -1) : value
}

/** Reads the text of a file; never throws. Options before the first section belong to `[DEFAULT]`. */
export function parseIni(source: string): Ini {
  const found: Ini = { entries: [], skipped: [] }
  let section = 'DEFAULT'
  let open: IniEntry | null = null
  const lines = source.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [i, raw] of lines.entries()) {
    const line = raw.trimEnd()
    const skip = (why: string) => found.skipped.push(`line ${i + 1}: ${why}`)
    if (line === '') open = null
    else if (line[0] === ' ' || line[0] === '\t') {
      if (open) open.value += `\n${line.trimStart()}`
      else if (!/^\s*[#;]/.test(line)) skip('an indented line that goes on with nothing')
    } else if (line[0] === '#' || line[0] === ';') {
      open = null
    } else if (line[0] === '[') {
      open = null
      const name = /^\[(.+)\]$/.exec(line)?.[1]?.trim()
      if (name) section = name
      else skip('a section without name or closing bracket')
    } else {
      open = null
      const at = line.search(/[=:]/)
      const name = at < 0 ? '' : line.slice(0, at).trim()
      if (name === '') skip('neither section, option nor comment')
      else {
        open = { section, name, value: unquoted(line.slice(at + 1).trim()) }
        found.entries.push(open)
      }
    }
  }
  return found
}
