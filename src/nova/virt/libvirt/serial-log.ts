/**
 * A guest's serial log, which a guest can write without end. virtlogd, where libvirt uses it, starts a new file at 2 MiB and keeps the
 * older ones as `.0`, `.1` …; where QEMU writes by itself, the file is cut here once it is larger than that.
 */
import { open, stat, truncate } from 'node:fs/promises'
import { lastLines } from '../text.ts'

const readMax = 1 << 20
const fileMax = 8 << 20

/** The end of the log, at most 1 MiB of it; empty when there is none. */
export async function readSerialLog(path: string, lines: number | null): Promise<string> {
  let tail = await readTail(path, readMax)
  if (tail.length < readMax) tail = Buffer.concat([await readTail(`${path}.0`, readMax - tail.length), tail])
  return lastLines(tail.toString('utf8').replaceAll('\u0000', ''), lines)
}

async function readTail(path: string, max: number): Promise<Buffer> {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, max))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, Math.max(0, size - max))
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

/** Lets go of a log that nobody else keeps in bounds. Its writer appends, so it goes on at the new end. */
export async function capSerialLog(path: string): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (found && found.size > fileMax) await truncate(path, 0)
}
