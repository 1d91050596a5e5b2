/** The command line. Commands are loaded when they are called, so that each starts as fast as it can. */
import { Argument, Command, Option } from 'commander'
import { messageOf } from '../base/errors.ts'
import { addManage } from './manage/index.ts'
import { err, isExpected, type Shell } from './shell.ts'

/** @returns the exit code. @throws what was not expected, for the stack to be seen. */
export async function runCommandLine(args: readonly string[], shell: Shell): Promise<number> {
  let exitCode = 0
  const program = makeProgram(shell, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!isExpected(error)) throw error
    err(`minicloud: ${messageOf(error)}`)
    return 1
  }
  return exitCode
}

const repeated = (value: string, before: string[] = []): string[] => [...before, value]

function makeProgram(shell: Shell, exit: (code: number) => void): Command {
  const program = new Command('minicloud')
    .description('A whole OpenStack-compatible cloud in one process.')
    .showHelpAfterError('(minicloud --help tells more)')
  const dataDir = () =>
    new Option('--data-dir <dir>', 'where all state lives (default: /var/lib/minicloud for root, else ~/.local/share/minicloud)')
  const config = () => new Option('--config <file>', 'a file of options, as nova.conf; may be repeated').argParser(repeated)
  /** The command's own flags over the program's. */
  const flagsOf = <T>(command: Command): T => command.optsWithGlobals() as T

  program
    .command('serve')
    .description('run the cloud until a signal ends it')
    .addOption(config())
    .addOption(dataDir())
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--port <number>', 'the port to listen on; 0 picks a free one (default: 8774)')
    .addOption(
      new Option('--driver <kind>', 'the hypervisor; auto is libvirt where it proves usable, else fake').choices([
        'auto',
        'libvirt',
        'fake',
      ]),
    )
    .option('--ready-file <file>', 'write where the cloud is into this file once it is ready')
    .option('--no-seed', 'leave an empty cloud empty')
    .option('--json', 'say where the cloud is as one line of JSON')
    .action(async (_flags, command: Command) => exit(await (await import('./serve.ts')).serve(flagsOf(command), shell)))

  program
    .command('env')
    .description('print export lines for a shell: eval $(minicloud env)')
    .addOption(config())
    .addOption(dataDir())
    .option('--json', 'answer in JSON')
    .action(async (_flags, command: Command) => (await import('./env.ts')).printEnv(flagsOf(command), shell))

  program
    .command('doctor')
    .description('try what real guests need on this machine, and say what to do about each problem')
    .addOption(config())
    .addOption(dataDir())
    .option('--json', 'answer in JSON')
    .action(async (_flags, command: Command) => exit(await (await import('./doctor.ts')).doctor(flagsOf(command), shell)))

  addManage(program, { shell, exit, makeOptions: () => [config(), dataDir()] })

  const image = program.command('image').description('bring and build images')
  image
    .command('add')
    .description('upload a disk image into the running cloud')
    .argument('<file>')
    .option('--name <name>', "the image's name (default: the file's)")
    .option('--disk-format <format>', 'raw, qcow2, vmdk, vdi, vhd, vhdx, iso … (default: what the bytes say)')
    .option('--public', 'let every project use it')
    .addOption(config())
    .addOption(dataDir())
    .option('--json', 'answer in JSON')
    .action(async (file: string, _flags, command: Command) => (await import('./image.ts')).addImage(file, flagsOf(command), shell))
  image
    .command('build-tiny')
    .description('build the small image that boots, from Debian packages')
    .option('--out <dir>', 'where its files go (default: here)')
    .option('--json', 'answer in JSON')
    .action(async (_flags, command: Command) => (await import('./image.ts')).buildTinyImage(flagsOf(command)))

  program
    .command('reset')
    .description('remove a cloud that is stopped: its guests, networks and data directory')
    .addOption(config())
    .addOption(dataDir())
    .option('--yes', 'do not ask')
    .action(async (_flags, command: Command) => (await import('./reset.ts')).reset(flagsOf(command), shell))

  program
    .command('completion')
    .description('print a script that completes minicloud in a shell: source <(minicloud completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (kind: 'bash' | 'zsh' | 'fish') => (await import('./completion.ts')).printCompletion(program, kind))

  return program
}
