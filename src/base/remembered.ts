/** Answers that are asked for over and over: what a text means, when many rows bring the same text. */
import { LRUCache } from 'lru-cache'

/**
 * `compute`, remembering its last `max` answers. The same text gives the same object, which nobody may change.
 * @throws what `compute` throws, each time anew.
 */
export function remembered<T extends {}>(compute: (text: string) => T, max = 1000): (text: string) => T {
  const known = new LRUCache<string, T>({ max })
  return (text) => {
    let answer = known.get(text)
    if (answer === undefined) {
      answer = compute(text)
      known.set(text, answer)
    }
    return answer
  }
}
