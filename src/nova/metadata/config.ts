/** Options of the metadata service; the rest of `[api]` is the model's. */
import { bool, int, list, secret, section, text } from '../../base/config/index.ts'

export const metadataConfig = section('api', {
  configDriveSkipVersions: text({
    default: '1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01',
    doc: 'EC2 versions, with blanks between, that are left out of config drives.',
  }),
  vendordataProviders: list({ default: ['StaticJSON'], doc: 'Where vendor data comes from: StaticJSON, DynamicJSON.' }),
  vendordataDynamicTargets: list({ default: [], doc: 'Services asked for vendor data, each as name@url.' }),
  vendordataDynamicSslCertfile: text({
    default: '',
    doc: 'A file of certificates by which those services are known; empty: those that Node.js trusts.',
  }),
  vendordataDynamicConnectTimeout: int({ default: 5, min: 3, doc: 'Seconds in which such a service must take a connection.' }),
  vendordataDynamicReadTimeout: int({ default: 5, min: 1, doc: 'Seconds in which it must have answered.' }),
  vendordataDynamicFailureFatal: bool({ default: false, doc: 'Let a failed question fail the build of a server with a config drive.' }),
  vendordataDynamicAllowedNetworks: list({
    default: [],
    doc: "Networks (CIDR) of such services that are private, link-local or this host's own; others of these are refused.",
  }),
})

export const neutronConfig = section('neutron', {
  serviceMetadataProxy: bool({ default: false, doc: 'Believe signed headers of a network proxy on the metadata port.' }),
  metadataProxySharedSecret: secret({ default: '', doc: 'The key of those signatures; without one, none is believed.' }),
})

export const metadataSections = [metadataConfig, neutronConfig]
