/**
 * SQL whose plan doesn't depend on the values bound to it.
 *
 * SQLite looks at the parameters on the right of `=` and of `LIMIT` when it plans a join, and then plans the statement anew each time they are bound, even
 * to the same value: some 20 to 60 µs where the query itself takes one. A unary plus changes no value, of whatever type, but is no parameter to the
 * planner. The flag that is meant for this (SQLITE_DBCONFIG_ENABLE_QPSG) cannot be set from JavaScript.
 *
 * @see https://www.sqlite.org/queryplanner-ng.html#qpstab
 * @see https://www.sqlite.org/lang_expr.html#operators
 */

/** A text, name or comment, which stays as it is; or a parameter right of `=`, `IS` or `LIMIT`. */
const part = /'[^']*'|"[^"]*"|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\/|(=|\bIS|\bLIMIT)\s*([?@:$]\w*)/gi

export const plannedOnce = (sql: string): string =>
  sql.replace(part, (whole, operator?: string, parameter?: string) => (parameter === undefined ? whole : `${operator} +${parameter}`))
