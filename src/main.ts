/**
 * Where the program starts: command line → config → startCloud → wait for a signal. Each command loads what it needs and
 * no more, and what Node compiles is kept for the next start.
 */
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { isSea } from 'node:sea'

/** A link to the executable by one of these names is that command of an operator. */
const calledAs: Record<string, string[]> = { 'nova-manage': ['manage'], 'nova-status': ['manage', 'status'] }

async function main(): Promise<void> {
  const { argv, argv0, env, execPath } = process
  const args = [...(calledAs[basename(argv0)] ?? []), ...argv.slice(2)]
  // Started for each network, so it loads this one file.
  if (args[0] === 'internal-listen') {
    const { runNetnsListener } = await import('./network/drivers/netns-listener.ts')
    runNetnsListener()
    return
  }
  // The executable has its compiled code inside.
  if (!isSea()) enableCompileCache(env.NODE_COMPILE_CACHE ?? join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'minicloud', 'compiled'))
  const { runCommandLine } = await import('./cli/index.ts')
  const exitCode = await runCommandLine(args, { env, self: isSea() ? [execPath] : [execPath, import.meta.filename] })
  // What still runs, such as a build of `tiny` that a signal came upon, keeps nobody waiting.
  process.exit(exitCode)
}

void main()
