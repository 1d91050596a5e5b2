import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseIni } from './ini.ts'

const values = (source: string) => parseIni(source).entries.map(({ section, name, value }) => [section, name, value])

describe("oslo's INI", () => {
  it.each([
    ['a hash in a value', 'a = pa#ss # word', 'pa#ss # word'],
    ['a semicolon in a value', 'a = x;y ; z', 'x;y ; z'],
    ['an equals sign in a value', 'a = k=v', 'k=v'],
    ['a percent sign', 'a = %(x)s 100%', '%(x)s 100%'],
    ['backslashes', 'a = C:\\new\\table', 'C:\\new\\table'],
    ['dots', 'a = 10.0.0.11', '10.0.0.11'],
    ['a URL behind an equals sign', 'a = rabbit://u:p@host:5672/', 'rabbit://u:p@host:5672/'],
    ['a colon as separator', 'a: b = c', 'b = c'],
    ['double quotes around', 'a = " spaced "', ' spaced '],
    ['single quotes around', "a = 'x'", 'x'],
    ['a quote on one side', 'a = "x', '"x'],
    ['a lone quote', 'a = "', '"'],
    ['quotes inside', 'a = x "y" z', 'x "y" z'],
    ['JSON', 'a = {"vendor_id": "8086"}', '{"vendor_id": "8086"}'],
    ['nothing', 'a =', ''],
    ['words that mean something in JSON', 'a = null', 'null'],
    ['no blanks', 'a=b', 'b'],
    ['Windows line ends', 'a = b\r\n', 'b'],
  ])('takes %s as it stands', (_what, source, value) => {
    expect(values(source)).toEqual([['DEFAULT', 'a', value]])
  })

  it('knows sections with dots and dashes, and forgets the last one', () => {
    expect(values('x = 0\n[oslo_messaging_rabbit]\na.b = 1\n[a.b-c]\nx-y = 2\n[DEFAULT]\nz = 3\n')).toEqual([
      ['DEFAULT', 'x', '0'],
      ['oslo_messaging_rabbit', 'a.b', '1'],
      ['a.b-c', 'x-y', '2'],
      ['DEFAULT', 'z', '3'],
    ])
  })

  it('goes on with an indented line, until a blank one, a comment, a section or an option', () => {
    expect(values('a = one,\n  two,\n\tthree\nb = 1\n\n  stray\n')).toEqual([
      ['DEFAULT', 'a', 'one,\ntwo,\nthree'],
      ['DEFAULT', 'b', '1'],
    ])
  })

  it('keeps options that stand twice', () => {
    expect(values('a = 1\na = 2\n')).toEqual([
      ['DEFAULT', 'a', '1'],
      ['DEFAULT', 'a', '2'],
    ])
  })

  it('passes over comments and tells of lines that say nothing', () => {
    const { entries, skipped } = parseIni('# a\n; b\n   # c\nnonsense\n[open\n[]\n= x\n  stray\n')
    expect(entries).toEqual([])
    expect(skipped.map((line) => line.split(':')[0])).toEqual(['line 4', 'line 5', 'line 6', 'line 7', 'line 8'])
  })

  it('reads names that an object has by itself', () => {
    expect(values('[__proto__]\n__proto__ = 1\nconstructor = 2\n')).toEqual([
      ['__proto__', '__proto__', '1'],
      ['__proto__', 'constructor', '2'],
    ])
  })

  it('never throws, and brings back what was written', () => {
    fc.assert(fc.property(fc.string(), (source) => void parseIni(source)))
    const line = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/).filter((text) => !/^["'].*["']$/.test(text))
    fc.assert(
      fc.property(line, (value) => {
        expect(values(`[s]\nname = ${value}\n`)).toEqual([['s', 'name', value]])
      }),
    )
  })
})
