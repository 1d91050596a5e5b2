/**
 * A daemon's UNIX socket over SSH: the far end runs netcat, and its standard streams are the connection.
 *
 * Nobody is there to type: keys come from ssh's own agent and files, and an unknown host is refused.
 *
 * @see https://libvirt.org/uri.html#ssh-transport
 */
import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import type { Transport } from './uri.ts'

/** What ssh says when it fails is short; more than this is not kept. */
const maxReason = 2_000

export function openSsh({ host, port, user, keyFile, socket }: Transport & { kind: 'ssh' }): Duplex {
  const options = ['-T', '-e', 'none', '-o', 'BatchMode=yes']
  if (port !== undefined) options.push('-p', String(port))
  if (user !== undefined) options.push('-l', user)
  if (keyFile !== undefined) options.push('-i', keyFile)
  // The far end hands the command to a shell, so the path is quoted for one.
  const command = `nc -U '${socket.replaceAll("'", `'\\''`)}'`
  const child = spawn('ssh', [...options, '--', host, command], { stdio: 'pipe' })
  let reason = ''
  const duplex = new Duplex({
    read: () => child.stdout.resume(),
    // A pipe that breaks is told by the end of ssh, with its reason, and not by the write that met it.
    write: (chunk, encoding, done) => child.stdin.write(chunk, encoding, () => done()),
    final: (done) => child.stdin.end(() => done()),
    destroy: (error, done) => {
      child.kill()
      done(error)
    },
  })
  child.stdout.on('data', (chunk) => {
    if (!duplex.push(chunk)) child.stdout.pause()
  })
  child.stderr.on('data', (chunk) => {
    if (reason.length < maxReason) reason += chunk
  })
  child.stdin.on('error', () => undefined)
  child.once('error', (error) => duplex.destroy(error))
  child.once('close', (code) => {
    if (code === 0) duplex.push(null)
    else duplex.destroy(new Error(`ssh: ${reason.trim() || `ended with ${code}`}`))
  })
  return duplex
}
