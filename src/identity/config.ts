/** Keystone's options that mean the same here, by Keystone's names, and what the first start seeds. */
import { bool, int, type SectionValues, secret, section, text } from '../base/config/index.ts'

export const identityConfig = section('identity', {
  maxPasswordLength: int({ default: 4096, min: 8, max: 4096, doc: 'Longest password taken, in bytes.' }),
  passwordHashRounds: int({ default: 15, min: 8, max: 20, doc: 'Base-2 logarithm of the cost of scrypt; 15 takes 32 MiB a hash.' }),
  lockoutFailureAttempts: int({ default: 5, min: 1, doc: 'Failed log-ins of one user from one address before further ones are delayed.' }),
})

export const tokenConfig = section('token', {
  expiration: int({ default: 3600, min: 60, max: 2_592_000, doc: 'Seconds that a token is valid.' }),
  allowExpiredWindow: int({ default: 172_800, min: 0, doc: 'Seconds past its end that a service may still validate a token.' }),
  keyRotation: int({ default: 604_800, min: 3600, doc: 'Seconds after which a new key signs tokens; older ones still verify.' }),
  allowRescopeScopedToken: bool({
    default: false,
    doc: "Lets a scoped token be exchanged for one of another scope; an unscoped token always can. Keystone's default is true.",
  }),
})

export const bootstrapConfig = section('bootstrap', {
  adminPassword: secret({ default: '', doc: 'Password of the user admin on first start; random when empty.' }),
  demoPassword: secret({ default: '', doc: 'Password of the user demo on first start; random when empty.' }),
  region: text({ default: 'RegionOne', doc: 'Region of the endpoints on first start.' }),
})

export const identitySections = [identityConfig, tokenConfig, bootstrapConfig]

export type TokenValues = SectionValues<typeof tokenConfig>
