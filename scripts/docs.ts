/** Writes `docs/configuration.md` from the options that the rooms declare: `npm run docs`. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configReference } from '../src/base/config/index.ts'
import { sections } from '../src/config.ts'

export const configurationFile = fileURLToPath(new URL('../docs/configuration.md', import.meta.url))

const introduction = `# Configuration

<!-- Written by \`npm run docs\` from the declarations in the sources; do not edit. -->

An INI file in the style of nova.conf: \`minicloud serve --config FILE\` (may be repeated), or \`minicloud.conf\` in the data directory.
Sections and options have nova.conf's names where they mean the same. What minicloud does not use is said in one warning line
each, with the reason, and left out, so an existing nova.conf starts ([operators.md](operators.md)).

Each wins over the one before: default, file, environment, flag of the command line. Booleans are \`true\` or \`false\`, lists have commas.
`

/** The whole page. */
export const configurationPage = (): string => `${introduction}\n${configReference(sections)}`

if (import.meta.main) writeFileSync(configurationFile, configurationPage())
