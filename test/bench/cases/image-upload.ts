/** An image uploaded, against a process that does no more than copy the file and hash it in the same two ways. */
import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve } from '../../support/process.ts'
import { type CaseResult, cpuMs, median, plain, timed } from '../measure.ts'
import { Session } from '../session.ts'

const copier = fileURLToPath(new URL('../plain-copy.ts', import.meta.url))
const sizeMib = 256
const mib = 1024 * 1024
const rounds = 3

export async function imageUploadCase(): Promise<CaseResult> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-upload-'))
  try {
    const source = join(dir, 'source')
    fill(source)
    await using cloud = await serve()
    using session = await Session.open(cloud)
    const uploads: number[] = []
    const copies: number[] = []
    const uploadCpu: number[] = []
    const copyCpu: number[] = []
    for (let round = 0; round < rounds; round++) {
      const copied = JSON.parse(execFileSync(process.execPath, [copier, source, join(dir, 'copy')], { encoding: 'utf8' })) as Copied
      copies.push(copied.ms)
      copyCpu.push(copied.cpuMs)
      const before = cpuMs(session.pid)
      uploads.push(await upload(session, source))
      uploadCpu.push(cpuMs(session.pid) - before)
    }
    return {
      name: `An image of ${sizeMib} MiB uploaded`,
      rows: [
        plain('PUT /images/{id}/file', median(uploads) / 1000, 's'),
        plain('copy, MD5 and SHA-512 of the same file, to the disk', median(copies) / 1000, 's'),
        plain('  ratio of time', median(uploads) / median(copies), '×'),
        plain('  ratio of CPU', median(uploadCpu) / median(copyCpu), '×'),
      ],
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

type Copied = { ms: number; cpuMs: number }

function fill(file: string): void {
  const handle = openSync(file, 'w', 0o600)
  const block = Buffer.alloc(mib)
  for (let i = 0; i < sizeMib; i++) writeSync(handle, randomFillSync(block))
  closeSync(handle)
}

async function upload(session: Session, file: string): Promise<number> {
  const image = { name: 'blank', disk_format: 'raw', container_format: 'bare' }
  const { id } = await session.json({ method: 'POST', path: '/image/v2/images', body: JSON.stringify(image) }, 201)
  const { ms, result } = await timed(() => put(`${session.url}/image/v2/images/${id}/file`, session.token, file))
  if (result !== 204) throw new Error(`upload: ${result}`)
  await session.json({ method: 'DELETE', path: `/image/v2/images/${id}` }, 204)
  return ms
}

function put(url: string, token: string, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-auth-token': token, 'content-type': 'application/octet-stream', 'content-length': sizeMib * mib }
    const sending = request(url, { method: 'PUT', headers }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode ?? 0))
    })
    sending.once('error', reject)
    createReadStream(file, { highWaterMark: mib }).pipe(sending)
  })
}
