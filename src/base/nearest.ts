/** The name that a mistyped one may have meant: by edits of single letters. */

const longestCompared = 120

/** How many letters must be put in, left out or changed; `most + 1` for anything beyond `most`. */
function edits(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(changed, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    if (Math.min(...row) > most) return most + 1
    above = row
  }
  return above[b.length] ?? most + 1
}

/** The closest of `names`, or `null` when none is close. */
export function nearest(name: string, names: Iterable<string>): string | null {
  if (name.length > longestCompared) return null
  let most = Math.max(2, Math.floor(name.length / 5))
  let found: string | null = null
  for (const candidate of names) {
    const distance = edits(name, candidate, most)
    if (distance > most) continue
    found = candidate
    most = distance - 1
  }
  return found
}
