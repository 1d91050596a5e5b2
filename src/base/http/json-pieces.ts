/**
 * JSON in pieces that were written before: an answer made of them is neither written again nor copied together, since a page of
 * servers in one piece costs more memory to be mapped than all else that is done for it.
 */
export class JsonPieces {
  readonly pieces: readonly Uint8Array[]
  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces
  }

  /** `{ [name]: item }` */
  static of(name: string, item: Uint8Array): JsonPieces {
    return new JsonPieces([bytes(`{${JSON.stringify(name)}:`), item, closing])
  }

  /** `{ [name]: [item, …], ...rest }` */
  static list(name: string, items: readonly Uint8Array[], rest: Readonly<Record<string, unknown>> = {}): JsonPieces {
    const others = JSON.stringify(rest).slice(1, -1)
    const between = items.flatMap((item, i) => (i === 0 ? [item] : [comma, item]))
    return new JsonPieces([bytes(`{${JSON.stringify(name)}:[`), ...between, bytes(`]${others === '' ? '' : `,${others}`}}`)])
  }

  get length(): number {
    return this.pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  toString(): string {
    return Buffer.concat(this.pieces).toString()
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)
const comma = bytes(',')
const closing = bytes('}')
