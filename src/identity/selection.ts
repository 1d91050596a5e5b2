/**
 * The WHERE clause of a list: exact filters by name, and Keystone's inexact ones, `name__contains`, `name__startswith` and
 * `name__endswith`, each also with an `i` before it that ignores case.
 */
export type Columns = Readonly<Record<string, string | { boolean: string }>>

const comparisons: Record<string, (column: string, value: string) => string> = {
  contains: (column, value) => `instr(${column}, ${value}) > 0`,
  startswith: (column, value) => `substr(${column}, 1, length(${value})) = ${value}`,
  endswith: (column, value) => `(length(${value}) = 0 OR substr(${column}, -length(${value})) = ${value})`,
}

/** `columns` maps the names that clients use to SQL; what it doesn't name is no filter. */
export function selection(search: URLSearchParams, columns: Columns): { where: string; values: (string | number)[] } {
  const terms: string[] = []
  const values: (string | number)[] = []
  for (const [name, column] of Object.entries(columns)) {
    const exact = search.get(name)
    if (typeof column !== 'string') {
      if (exact === null) continue
      terms.push(`${column.boolean} = ?`)
      values.push(/^(0|false|f|no|n|off)$/i.test(exact) ? 0 : 1)
      continue
    }
    if (exact !== null) {
      // An empty domain or parent asks for the things that have none.
      terms.push(exact === '' ? `(${column} IS NULL OR ${column} = '')` : `${column} = ?`)
      if (exact !== '') values.push(exact)
    }
    for (const [word, compare] of Object.entries(comparisons)) {
      for (const folded of [false, true]) {
        const value = search.get(`${name}__${folded ? 'i' : ''}${word}`)
        if (value === null) continue
        const sql = compare(folded ? `lower(${column})` : column, folded ? 'lower(?)' : '?')
        terms.push(sql)
        for (let used = sql.split('?').length - 1; used > 0; used--) values.push(value)
      }
    }
  }
  return { where: terms.length === 0 ? '1' : terms.join(' AND '), values }
}
