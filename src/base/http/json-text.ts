/** JSON that is text already: an answer made of pieces that were written before, and are not written again. */
export class JsonText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }

  /** `{ [name]: item, … }` */
  static of(name: string, item: string): JsonText {
    return new JsonText(`{${JSON.stringify(name)}:${item}}`)
  }

  /** `{ [name]: [item, …], ...rest }` */
  static list(name: string, items: readonly string[], rest: Readonly<Record<string, unknown>> = {}): JsonText {
    const others = JSON.stringify(rest).slice(1, -1)
    return new JsonText(`{${JSON.stringify(name)}:[${items.join(',')}]${others === '' ? '' : `,${others}`}}`)
  }
}
