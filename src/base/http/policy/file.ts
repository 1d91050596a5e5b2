/** `policy.yaml`: names of policies and their rules, in YAML or JSON. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { messageOf } from '../../errors.ts'
import { largestFile, PolicyFileError } from './file-error.ts'
import { parseRule, type Rule } from './rule.ts'

export type Placed = { readonly rule: Rule; readonly file: string; readonly line: number }
export type PolicyFileContent = { readonly rules: ReadonlyMap<string, Placed>; readonly warnings: readonly string[] }

const mostRules = 10_000

/** @throws {PolicyFileError} in one line that says where and why. */
export function readPolicies(file: string, content: string): PolicyFileContent {
  if (content.length > largestFile) throw new PolicyFileError(file, null, `is larger than ${largestFile} bytes`)
  const lines = new LineCounter()
  const lineOf = (node: Pick<Node, 'range'>) => lines.linePos(node.range?.[0] ?? 0).line
  const document = parsed(file, content, lines)
  const { contents } = document
  const warnings: string[] = []
  if (contents === null || (isScalar(contents) && contents.value === null)) return { rules: new Map(), warnings }
  if (!isMap(contents)) throw new PolicyFileError(file, lineOf(contents), 'expected names of policies, each with its rule')
  if (contents.items.length > mostRules) throw new PolicyFileError(file, null, `has more than ${mostRules} rules`)

  const rules = new Map<string, Placed>()
  for (const { key, value } of contents.items) {
    const line = lineOf(key as Node)
    if (!isScalar(key) || typeof key.value !== 'string') throw new PolicyFileError(file, line, 'a policy has a name that is a text')
    const name = key.value
    const refuse = (why: string) => new PolicyFileError(file, line, `${name}: ${why}`)
    if (value === null) throw refuse('has no rule; "" allows everybody, "!" nobody')
    try {
      const { rule, warnings: doubts } = parseRule(plain(value as Node))
      rules.set(name, { rule, file, line })
      for (const doubt of doubts) warnings.push(`${file}:${line}: ${name}: ${doubt}`)
    } catch (error) {
      throw refuse(messageOf(error))
    }
  }
  return { rules, warnings }
}

function parsed(file: string, content: string, lineCounter: LineCounter) {
  try {
    const document = parseDocument(content, { lineCounter, prettyErrors: false, logLevel: 'silent' })
    const [error] = document.errors
    if (error) throw new PolicyFileError(file, lineCounter.linePos(error.pos[0]).line, error.message)
    return document
  } catch (error) {
    if (error instanceof PolicyFileError) throw error
    throw new PolicyFileError(file, null, `cannot be read as YAML: ${messageOf(error)}`)
  }
}

/** Texts and lists; what YAML would make of other things is never what their writer meant. */
function plain(node: Node): unknown {
  if (isAlias(node)) throw new Error('write the rule itself, not an alias of another')
  if (node.tag?.startsWith('!')) throw new Error(`write rules that begin with "!" in quotes`)
  if (isSeq(node)) return node.items.map((item) => plain(item as Node))
  if (!isScalar(node)) throw new Error('a rule is a text, or a list of lists of checks')
  if (node.value === null) throw new Error('has no rule; "" allows everybody, "!" nobody')
  if (typeof node.value !== 'string') throw new Error(`${node.source ?? String(node.value)} is no rule; a rule is a text`)
  return node.value
}
