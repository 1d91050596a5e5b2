/**
 * Views: what a resource looks like on the wire. A field is a function of the thing, optionally with a window of
 * microversions; the fields that a version shows are computed once per version, not asked per row.
 */
import type { RequestContext } from './context.ts'
import { type Version, version } from './microversion.ts'

export type FieldOf<T> = (thing: T, context: RequestContext) => unknown
export type Windowed<T> = { readonly of: FieldOf<T>; readonly since: Version; readonly until: Version }
export type View<T> = { readonly [name: string]: FieldOf<T> | Windowed<T> }
export type Shown = Record<string, unknown>

/** A field that some versions lack; `since` and `until` are inclusive. A field whose value is `undefined` is left out. */
export const field = <T>(of: FieldOf<T>, { since = '0.0', until = '999.999' }: { since?: string; until?: string }): Windowed<T> => ({
  of,
  since: version(since),
  until: version(until),
})

/**
 * Compiles a view to a function; `render(thing, context)` reads the version from the context. Bodies begin as copies of one
 * blank that has all names: objects of one known shape, which the engine fills and writes as JSON twice as fast as those that
 * grow name by name. What is `undefined` is left out when they are written.
 */
export function view<T>(fields: View<T>): (thing: T, context: RequestContext) => Shown {
  const perVersion = new Map<Version, { blank: Shown; shown: [string, FieldOf<T>][] }>()
  const compile = (at: Version) => {
    const shown = Object.entries(fields).flatMap(([name, entry]): [string, FieldOf<T>][] => {
      if (typeof entry === 'function') return [[name, entry]]
      return entry.since <= at && at <= entry.until ? [[name, entry.of]] : []
    })
    const blank = JSON.parse(JSON.stringify(Object.fromEntries(shown.map(([name]) => [name, null])))) as Shown
    return { blank, shown }
  }
  return (thing, context) => {
    let compiled = perVersion.get(context.version)
    if (!compiled) {
      compiled = compile(context.version)
      perVersion.set(context.version, compiled)
    }
    const body = { ...compiled.blank }
    for (const [name, of] of compiled.shown) body[name] = of(thing, context)
    return body
  }
}
