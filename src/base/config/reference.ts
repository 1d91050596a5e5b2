/** The configuration reference and the sample file, computed from the declarations. */
import { environmentName, optionName, type Section } from './options.ts'

const shown = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value))

const rows = ({ name, options }: Section) =>
  Object.entries(options).map(([key, option]) => ({
    name: optionName(key, option),
    type: option.type,
    default: option.secret ? '' : shown(option.default),
    env: environmentName(name, optionName(key, option)),
    doc: option.doc,
  }))

/** A section that several rooms share is one in the reference, where it stands first. */
const merged = (sections: readonly Section[]): Section[] => {
  const byName = new Map<string, Section>()
  for (const { name, options } of sections) byName.set(name, { name, options: { ...byName.get(name)?.options, ...options } })
  return [...byName.values()]
}

/** Markdown: a heading a section, a table row an option. */
export function configReference(sections: readonly Section[]): string {
  const parts = merged(sections).map((section) =>
    [
      `## [${section.name}]\n`,
      '| option | type | default | environment | meaning |',
      '| --- | --- | --- | --- | --- |',
      ...rows(section).map(
        (row) =>
          `| \`${row.name}\` | ${row.type.replaceAll('|', '\\|')} | ${row.default === '' ? '' : `\`${row.default}\``} | \`${row.env}\` | ${row.doc.replaceAll('|', '\\|').replaceAll('\n', ' ')} |`,
      ),
    ].join('\n'),
  )
  return `${parts.join('\n\n')}\n`
}

/** An INI file with every option commented out at its default. */
export function sampleConfig(sections: readonly Section[]): string {
  const parts = merged(sections).map((section) =>
    [`[${section.name}]`, ...rows(section).map((row) => `# ${row.doc.replaceAll('\n', '\n# ')}\n#${row.name} = ${row.default}\n`)].join(
      '\n',
    ),
  )
  return `${parts.join('\n')}\n`
}
