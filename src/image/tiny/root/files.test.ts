import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rootFiles } from './files.ts'

const scripts = Object.entries(rootFiles).filter(([path, text]) => text.startsWith('#!') || path === 'etc/tiny/lib')

describe('the scripts of the guest', () => {
  it.each(scripts)('%s is a script that a shell can read', (_path, text) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(status).toBe(0)
  })

  it('keep the resolvers of every interface, though all come up at once', ({ skip }) => {
    if (spawnSync('busybox', ['sh', '-c', 'exit 0']).status !== 0) skip()
    const directory = mkdtempSync(join(tmpdir(), 'resolvers-'))
    try {
      for (const folder of ['run/tiny', 'etc']) mkdirSync(join(directory, folder), { recursive: true })
      const lib = (rootFiles['etc/tiny/lib'] ?? '')
        .replaceAll('/run/tiny/', `${directory}/run/tiny/`)
        .replaceAll('/etc/', `${directory}/etc/`)
      const script = `${lib.replace('export PATH=/bin', '')}
        for round in 1 2 3 4 5 6 7 8; do for n in 1 2 3 4 5 6; do echo "nameserver 10.0.$round.$n" | resolvers_of eth$n & done; wait; done`
      const { stderr } = spawnSync('busybox', ['sh', '-c', script], { encoding: 'utf8' })
      expect(stderr).toBe('')
      const found = readFileSync(join(directory, 'etc/resolv.conf'), 'utf8').match(/10\.0\.\d\.\d/g) ?? []
      expect(found.map((address) => address.slice(-1))).toEqual(['1', '2', '3', '4', '5', '6'])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('flatten.awk gives every value of a JSON document a line', ({ skip }) => {
    if (spawnSync('busybox', ['awk', 'BEGIN { exit 0 }']).status !== 0) skip()
    const directory = mkdtempSync(join(tmpdir(), 'flatten-'))
    try {
      writeFileSync(join(directory, 'flatten.awk'), rootFiles['etc/tiny/flatten.awk'] ?? '')
      const document = {
        uuid: 'u-1',
        empty: {},
        none: [],
        meta: { 'a,b': 'x"}y', path: 'a/b\\c', lines: 'one\ntwo' },
        public_keys: { 'my.key': 'ssh-ed25519 AAAA me@host\n' },
        links: [
          { id: 'tap1', mtu: 1450 },
          { id: 'tap2', mtu: null, up: true },
        ],
        last: -1.5e3,
      }
      const flatten = (input: string) =>
        spawnSync('busybox', ['awk', '-f', join(directory, 'flatten.awk')], { input, encoding: 'utf8' }).stdout
      const expected = [
        'uuid\tu-1',
        'meta.a,b\tx"}y',
        'meta.path\ta/b\\c',
        'meta.lines\tone two',
        'public_keys.my.key\tssh-ed25519 AAAA me@host ',
        'links.0.id\ttap1',
        'links.0.mtu\t1450',
        'links.1.id\ttap2',
        'links.1.mtu\tnull',
        'links.1.up\ttrue',
        'last\t-1500',
      ]
      expect(flatten(JSON.stringify(document)).trimEnd().split('\n')).toEqual(expected)
      expect(
        flatten(JSON.stringify(document, null, 2))
          .trimEnd()
          .split('\n'),
      ).toEqual(expected)
      expect(flatten('<html>404</html>')).toBe('')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
