/** Shapes that several resources of the Compute API share. */
import ipaddr from 'ipaddr.js'
import { addFormat, closed, nullable, Type } from '../../base/http/index.ts'

addFormat('ipv4', (text) => ipaddr.IPv4.isValidFourPartDecimal(text))
addFormat('ipv6', (text) => ipaddr.IPv6.isValid(text) && !text.includes('%'))
addFormat('ip', (text) => ipaddr.IPv4.isValidFourPartDecimal(text) || (ipaddr.IPv6.isValid(text) && !text.includes('%')))
/** No control or format characters, no separators but spaces, nothing that is no character. */
const isPrintable = (text: string): boolean => !/[\p{C}\p{Zl}\p{Zp}]/u.test(text)
addFormat('printable', isPrintable)
/** Printable, no white space at either end. */
addFormat('name', (text) => text.length > 0 && text.trim() === text && isPrintable(text), {
  forgives: 'white space',
  mustBe: 'printable characters. Can not start or end with whitespace.',
})

const trueWords = ['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes']
const falseWords = ['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no']

/** Booleans as Compute takes them. */
export const anyBoolean = Type.Unsafe<boolean | string>({ type: ['boolean', 'string'], enum: [true, ...trueWords, false, ...falseWords] })
export const isTrue = (value: unknown): boolean => value === true || (typeof value === 'string' && trueWords.includes(value))

/** Says of a text only that white space at its ends may be cut where bodies are read forgivingly; its pattern says the rest. */
addFormat('trimmable', () => true, { forgives: 'white space' })

/** As a name, but white space at its ends is cut, not refused. */
addFormat('spaced name', (text) => text.trim().length > 0 && isPrintable(text), {
  mustBe: 'printable characters with at least one non space character',
})

export const serverName = Type.String({ minLength: 1, maxLength: 255, format: 'name' })
export const description = nullable(Type.String({ maxLength: 255, format: 'printable' }))
/** What a guest calls itself: one label, with a letter or digit at both ends. */
export const hostLabel = Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' })
/** What a host or a guest is called, with its domain or without; underscores occur in real ones. */
export const hostName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' })
/** A password has no upper length but its body's. */
export const anyPassword = Type.Optional(Type.String())
export const diskConfig = Type.String({ enum: ['AUTO', 'MANUAL'] })
export const tagSchema = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/]*$' })
/** Keys of 1 to 255 letters, digits and some signs; values up to 255 characters. */
export const metadataSchema = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }), Type.String({ maxLength: 255 }), closed)
/** Base64 of what a guest reads at its first start. */
export const userDataSchema = nullable(Type.String({ format: 'base64', maxLength: 65_535 }))
/** Ids of the certificates that an image's signature must go back to. */
export const trustedCertsSchema = nullable(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 50, uniqueItems: true }))
/** Files to put on the config drive, up to 2.56. */
export const personalitySchema = Type.Array(Type.Object({ path: Type.String(), contents: Type.String({ format: 'base64' }) }, closed))
