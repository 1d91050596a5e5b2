/** What an upload is measured against: `node plain-copy.ts FROM TO` reads a file, hashes it as Glance does, writes it and waits for the disk. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'

const [from = '', to = ''] = process.argv.slice(2)
const startedAt = performance.now()
const md5 = createHash('md5')
const sha512 = createHash('sha512')
await using file = await open(to, 'w', 0o600)
for await (const chunk of createReadStream(from, { highWaterMark: 1024 * 1024 })) {
  md5.update(chunk as Buffer)
  sha512.update(chunk as Buffer)
  await file.writeFile(chunk as Buffer)
}
await file.sync()
md5.digest()
sha512.digest()
const { user, system } = process.cpuUsage()
process.stdout.write(JSON.stringify({ ms: performance.now() - startedAt, cpuMs: (user + system) / 1000 }))
