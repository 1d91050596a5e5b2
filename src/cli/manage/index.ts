/**
 * `minicloud manage`, also called as `nova-manage` and `nova-status`: the commands for operators, their exit codes and tables as theirs.
 *
 * @see https://docs.openstack.org/nova/latest/cli/nova-manage.html
 */
import { type Command, Option } from 'commander'
import { isExpected, out, type Shell } from '../shell.ts'
import { type ManageCommand, manageCommands } from './commands.ts'

/** For a wrong command line, as Python's argparse. */
const wrongUsage = 2
const unexpected = 255
const repeated = (value: string, before: string[] = []): string[] => [...before, value]

export type ManageParts = { shell: Shell; exit: (code: number) => void; makeOptions: () => Option[] }

/** Adds the commands below `manage`, and `status` beside it. */
export function addManage(program: Command, parts: ManageParts): void {
  const manage = ownCommand(program, 'manage', "nova-manage's commands")
  const status = ownCommand(program, 'status', "nova-status' commands")
  manage.addOption(new Option('--version', 'print the release version')).action(async (flags: { version?: boolean }) => {
    if (!flags.version) return manage.help({ error: true })
    parts.exit((await import('./version.ts')).printVersion())
  })
  for (const command of manageCommands) {
    addCommand(manage, command.path.split(' '), command, parts)
    const [first, ...rest] = command.path.split(' ')
    if (first === 'status') addCommand(status, rest, command, parts)
  }
}

function ownCommand(program: Command, name: string, about: string): Command {
  return program
    .command(name)
    .description(about)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : wrongUsage))
    .addOption(new Option('--config-file <file>', 'a file of options; may be repeated').argParser(repeated))
    .addOption(new Option('--config-dir <dir>', 'a folder of .conf files; may be repeated').argParser(repeated))
    .addOption(new Option('-d, --debug', "nova-manage's; changes nothing"))
    .addOption(new Option('--log-file <file>', "nova-manage's; nothing is logged").hideHelp())
    .addOption(new Option('--log-config-append <file>', "nova-manage's; nothing is logged").hideHelp())
    .addOption(new Option('--post-mortem', "nova-manage's; changes nothing").hideHelp())
}

function addCommand(parent: Command, path: readonly string[], declared: ManageCommand, parts: ManageParts): void {
  const [name = '', ...rest] = path
  const found = parent.commands.find((one) => one.name() === name)
  if (rest.length > 0) {
    addCommand(found ?? parent.command(name).description(groupAbout[name] ?? ''), rest, declared, parts)
    return
  }
  const command = parent.command(name).description(declared.about)
  for (const argument of declared.arguments ?? []) command.argument(argument)
  for (const [flags, about, kind] of declared.options ?? []) {
    const option = new Option(flags, about)
    if (kind === 'repeated') option.argParser(repeated)
    command.addOption(option.makeOptionMandatory(kind === 'required'))
  }
  for (const option of parts.makeOptions()) command.addOption(option)
  command.action(async (...given: unknown[]) => {
    const own = given.at(-1) as Command
    parts.exit(await ended(() => declared.run(own.optsWithGlobals(), parts.shell, ...(own.processedArgs as string[]))))
  })
}

/** What nobody expected is shown whole, with nova-manage's exit code for it. */
async function ended(run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (error) {
    if (isExpected(error)) throw error
    out(`An error has occurred:\n${error instanceof Error ? error.stack : String(error)}`)
    return unexpected
  }
}

const groupAbout: Record<string, string> = {
  db: 'the database',
  api_db: 'the same database: minicloud has one',
  cell_v2: 'cells: minicloud has cell0 and one for its hosts',
  placement: 'what servers hold of the hosts',
  libvirt: 'machine types of servers',
  volume_attachment: 'volumes of servers',
  image_property: 'what is kept of the image of a server',
  limits: 'unified limits',
  policy: 'who may do what',
  status: "nova-status' commands",
  upgrade: 'before and after an upgrade',
}
