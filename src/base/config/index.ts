export { type Config, ConfigError, type ConfigSources, loadConfig } from './load.ts'
export {
  bool,
  choice,
  environmentName,
  float,
  int,
  list,
  many,
  type Option,
  optionName,
  type Section,
  type SectionValues,
  secret,
  section,
  text,
} from './options.ts'
export { configReference, sampleConfig } from './reference.ts'
