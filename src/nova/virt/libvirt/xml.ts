/**
 * XML built from typed pieces: names are ours, values are escaped, and a value that XML cannot hold is refused.
 *
 * @see https://www.w3.org/TR/xml/#charsets
 */
export type Xml = { readonly xml: string }
type Value = string | number
type Child = Xml | Value | null | undefined | false

/** What XML 1.0 cannot hold. */
const unfit =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
}

function escaped(value: Value): string {
  const text = String(value)
  if (unfit.test(text)) throw new TypeError('a text with control characters cannot go into XML')
  return text.replace(/[&<>"'\n\r\t]/g, (character) => escapes[character] ?? '')
}

/**
 * An element. Attributes and children that are null, undefined or false are left out.
 * @throws {TypeError} when a value holds what XML cannot
 */
export function el(name: string, attributes: Record<string, Value | null | undefined | false> = {}, ...children: (Child | Child[])[]): Xml {
  const shown = Object.entries(attributes)
    .filter(([, value]) => value !== null && value !== undefined && value !== false)
    .map(([key, value]) => ` ${key}="${escaped(value as Value)}"`)
    .join('')
  const inside = children
    .flat()
    .map((child) =>
      child === null || child === undefined || child === false ? '' : typeof child === 'object' ? child.xml : escaped(child),
    )
    .join('')
  return { xml: inside === '' ? `<${name}${shown}/>` : `<${name}${shown}>${inside}</${name}>` }
}
