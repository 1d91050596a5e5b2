/** Options of policies, as oslo.policy has them. */
import { bool, many, section, text } from '../../config/index.ts'

export const defaultPolicyFile = 'policy.yaml'

export const policyConfig = section('oslo_policy', {
  policyFile: text({
    default: defaultPolicyFile,
    doc: 'The file of rules that differ from the defaults; a relative name is sought beside the configuration, then in the data directory.',
  }),
  policyDirs: many({
    default: ['policy.d'],
    doc: 'Folders of further such files, read in order of their names; the last one that names a rule wins.',
  }),
  policyDefaultRule: text({ default: 'default', doc: 'The rule to ask where a rule asks another that is not defined.' }),
  enforceScope: bool({ default: true, doc: 'Refuse a token of the system or of a domain where a policy is for projects.' }),
  enforceNewDefaults: bool({
    default: true,
    doc: 'When false, every user of a project may do what the defaults before the roles reader and member allowed.',
  }),
})
