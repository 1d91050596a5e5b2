/** `minicloud completion`: scripts for shells, computed from the commands themselves. */
import type { Command } from 'commander'
import { out } from './shell.ts'

type Node = { path: string; words: { word: string; about: string }[] }

/** What may follow each command: its subcommands and options. */
function nodesOf(command: Command, path: readonly string[] = []): Node[] {
  const { commands, options } = command
  const words = [
    ...commands.map((one) => ({ word: one.name(), about: one.description() })),
    ...options.flatMap(({ long, description }) => (long ? [{ word: long, about: description }] : [])),
  ]
  return [{ path: path.join(' '), words }, ...commands.flatMap((one) => nodesOf(one, [...path, one.name()]))]
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const bash = (nodes: readonly Node[]): string => `_minicloud() {
  local path='' word i
  case \${COMP_WORDS[0]##*/} in
    nova-manage) path='manage' ;;
    nova-status) path='manage status' ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$path $word" in
${nodes
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      ${quoted(`${path.split(' ').slice(0, -1).join(' ')} ${path.split(' ').at(-1)}`)}) path=${quoted(path)} ;;`)
  .join('\n')}
    esac
  done
  local words=''
  case "$path" in
${nodes.map(({ path, words }) => `    ${quoted(path)}) words=${quoted(words.map(({ word }) => word).join(' '))} ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _minicloud minicloud nova-manage nova-status`

const zsh = (nodes: readonly Node[]): string => `#compdef minicloud nova-manage nova-status
autoload -U +X bashcompinit && bashcompinit
${bash(nodes)}`

/** Fish asks for each word whether the words before it, options left out, are a command's path. */
const fish = (nodes: readonly Node[]): string =>
  [
    'function __minicloud_at',
    "    set -l given (commandline -opc | string match -v -- '-*')[2..-1]",
    '    test "$given" = "$argv"',
    'end',
    ...nodes.flatMap(({ path, words }) =>
      words.map(({ word, about }) => {
        const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`
        return `complete -c minicloud -n ${quoted(`__minicloud_at ${path}`.trim())} ${what} -d ${quoted(about)}`
      }),
    ),
  ].join('\n')

export function printCompletion(program: Command, shell: 'bash' | 'zsh' | 'fish'): void {
  out({ bash, zsh, fish }[shell](nodesOf(program)))
}
