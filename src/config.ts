/** Every room's options, in the order in which the reference shows them; and those of the process itself. */
import { bool, choice, int, type Section, section, text } from './base/config/index.ts'
import { policyConfig } from './base/http/policy/config.ts'
import { sagaConfig } from './base/saga/config.ts'
import { identitySections } from './identity/config.ts'
import { imageCacheConfig, imageConfig, imageDiskConfig } from './image/config.ts'
import { networkConfig, networkQuotaConfig } from './network/config.ts'
import { computeConfig } from './nova/compute/config.ts'
import { conductorConfig } from './nova/conductor/config.ts'
import { consoleSections } from './nova/console/config.ts'
import { metadataSections } from './nova/metadata/config.ts'
import { apiConfig, glanceConfig, novaConfig, quotaConfig } from './nova/model/config.ts'
import { filterSchedulerConfig, metricsConfig, schedulerConfig } from './nova/scheduler/config.ts'
import { ephemeralConfig, fakeConfig, libvirtConfig, spiceConfig } from './nova/virt/config.ts'

export const processConfig = section('minicloud', {
  dataDir: text({
    default: '',
    doc: 'Where all state lives; by default /var/lib/minicloud for root, ~/.local/share/minicloud for others.',
  }),
  host: text({ default: '127.0.0.1', doc: 'The address to listen on.' }),
  port: int({ default: 8774, min: 0, max: 65_535, doc: 'The port to listen on; 0 picks a free one.' }),
  driver: choice(['auto', 'libvirt', 'fake'], {
    default: 'auto',
    doc: 'The hypervisor; auto is libvirt where it proves usable, else fake.',
  }),
  networkDriver: choice(['auto', 'linux', 'fake'], { default: 'auto', doc: "The guests' network; auto goes with the hypervisor." }),
  hostNamespace: text({ default: '', doc: 'The network namespace in which bridges and guests live; empty: the one minicloud runs in.' }),
  logLevel: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    doc: 'What is logged, as JSON lines on standard error.',
  }),
  trustForwarded: bool({ default: false, doc: 'Believe X-Forwarded-Proto and X-Forwarded-Host: only behind a proxy that sets them.' }),
  metadataPort: int({
    default: -1,
    min: -1,
    max: 65_535,
    doc: 'Port of the classic metadata listener (8775 in OpenStack) for signed proxies; -1: none.',
  }),
})

/** One more of the section that compute's API shares. */
export const classicConfig = section('api', {
  classicPorts: bool({
    default: false,
    doc: "Serve each service also on the port of OpenStack's installation guides: identity 5000, compute 8774, metadata 8775, placement 8778, image 9292, network 9696, consoles 6080, 6082 and 6083.",
  }),
})

export const debugConfig = section('debug', {
  crashAt: text({
    default: '',
    doc: 'Kills the process right after a log row of a saga, for tests: name:step:event, such as build-server/1:guest:started.',
  }),
  strict: bool({ default: false, doc: 'Answer 500 where an operation fails with a status that it does not list.' }),
})

export const sections: Section[] = [
  processConfig,
  novaConfig,
  imageDiskConfig,
  computeConfig,
  schedulerConfig,
  metricsConfig,
  filterSchedulerConfig,
  quotaConfig,
  apiConfig,
  classicConfig,
  glanceConfig,
  ...metadataSections,
  ...consoleSections,
  libvirtConfig,
  spiceConfig,
  ephemeralConfig,
  fakeConfig,
  ...identitySections,
  imageConfig,
  imageCacheConfig,
  conductorConfig,
  networkConfig,
  networkQuotaConfig,
  policyConfig,
  sagaConfig,
  debugConfig,
]
