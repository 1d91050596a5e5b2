export { type Config, ConfigError, type ConfigSources, loadConfig } from './load.ts'
export { bool, choice, float, int, list, many, type Option, type Section, type SectionValues, secret, section, text } from './options.ts'
export { configReference, sampleConfig } from './reference.ts'
