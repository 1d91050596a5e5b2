/**
 * As much of domain XML as the mock daemon needs to understand: names, attributes, and the devices as pieces of text.
 *
 * It keeps the caller's text as it is and cuts whole elements out of it or puts them in, so what was defined comes back.
 */
export type Element = { tag: string; text: string }

const token = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(\/?)([\w:.-]+)(?:"[^"]*"|'[^']*'|[^'">])*?(\/?)>/g

/** The elements right below the root; undefined when the tags don't match. */
export function childrenOf(xml: string): Element[] | undefined {
  const children: Element[] = []
  const open: string[] = []
  let start = 0
  for (const match of xml.matchAll(token)) {
    const [whole, closing, tag, empty] = match
    if (tag === undefined) continue
    if (closing) {
      if (open.pop() !== tag) return undefined
    } else {
      if (open.length === 1) start = match.index
      if (!empty) open.push(tag)
    }
    if (open.length === 1 && (closing || empty)) children.push({ tag, text: xml.slice(start, match.index + whole.length) })
  }
  return open.length === 0 ? children : undefined
}

export function rootTag(xml: string): string | undefined {
  for (const match of xml.matchAll(token)) if (match[2] !== undefined) return match[2]
  return undefined
}

export function child(xml: string, tag: string): string | undefined {
  return childrenOf(xml)?.find((element) => element.tag === tag)?.text
}

export function childText(xml: string, tag: string): string | undefined {
  const element = child(xml, tag)
  const content = element === undefined ? undefined : /^<[^>]*>([\s\S]*)<\/[^>]*>$/.exec(element)?.[1]
  return content === undefined ? undefined : decodeEntities(content.trim())
}

/** An attribute of the root. */
export function attribute(xml: string | undefined, name: string): string | undefined {
  if (xml === undefined) return undefined
  const start = /^\s*(?:<\?[\s\S]*?\?>\s*|<!--[\s\S]*?-->\s*)*<(?:"[^"]*"|'[^']*'|[^'">])*>/.exec(xml)?.[0] ?? ''
  const match = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(start)
  return match ? decodeEntities(match[1] ?? match[2] ?? '') : undefined
}

export function setAttribute(xml: string, name: string, value: string): string {
  const without = xml.replace(new RegExp(`^(\\s*<[\\w:.-]+(?:"[^"]*"|'[^']*'|[^'">])*?)\\s${name}\\s*=\\s*(?:"[^"]*"|'[^']*')`), '$1')
  return without.replace(/^(\s*<[\w:.-]+)/, (start) => `${start} ${name}='${encodeEntities(value)}'`)
}

/** Puts an element in as the last one of the root. */
export function append(xml: string, element: string): string {
  const end = xml.lastIndexOf('</')
  if (end >= 0) return `${xml.slice(0, end)}${element}${xml.slice(end)}`
  return xml.replace(/^(\s*<([\w:.-]+)[\s\S]*?)\s*\/>\s*$/, (_, start: string, tag: string) => `${start}>${element}</${tag}>`)
}

export function replaceChild(xml: string, old: string, by: string): string {
  const at = xml.indexOf(old)
  return at < 0 ? xml : xml.slice(0, at) + by + xml.slice(at + old.length)
}

function encodeEntities(value: string): string {
  return value.replace(/[&<>'"]/g, (c) => `&#${c.charCodeAt(0)};`)
}

function decodeEntities(value: string): string {
  const names: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }
  return value.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return names[name.toLowerCase()] ?? whole
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}
