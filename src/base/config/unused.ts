/**
 * Why an option of a file is of no use: what minicloud has instead, or, for one that nobody knows, which one may have been meant. The
 * sentences are written for whoever brings a nova.conf along, and never show a value.
 */
import { nearest } from '../nearest.ts'
import { novaConfNames } from './nova-conf-names.ts'

const oneProcess = 'its parts call each other within one process, without a message broker'
const sqlite = 'it keeps its state in one SQLite file, minicloud.db in its data directory'
const ownIdentity = 'identity is a part of this process and needs no credentials'
const logs = 'it logs JSON lines on standard error, as [minicloud] log_level says'
const listens = '[minicloud] host and port say where it listens, and [api] classic_ports opens the ports of OpenStack'
const quotas = 'quotas are in [quota], without the prefix'
const sockets = "guests' consoles listen on sockets of their host alone"

/** By section and option, by section, or for options that begin alike; the first that fits is said. */
const reasons: readonly (readonly [id: RegExp, reason: string])[] = [
  [/^(database|api_database)\./, sqlite],
  [/^DEFAULT\.(transport_url|control_exchange|rpc_\w+|long_rpc_timeout)$/, oneProcess],
  [/^(oslo_messaging_\w+|upgrade_levels|conductor)\./, oneProcess],
  [/^(keystone_authtoken|keystone|service_user)\./, ownIdentity],
  [/^placement\./, 'placement is a part of this process'],
  [/^glance\./, 'images are a part of this process'],
  [/^neutron\./, 'networks are a part of this process'],
  [/^cinder\./, 'it reaches no volume service of others'],
  [/^(barbican\w*|key_manager|vault)\./, 'it has no key manager'],
  [/^oslo_concurrency\./, 'one process needs no lock files'],
  [/^oslo_policy\./, 'it has none of these settings for its policy'],
  [/^cache\./, 'what it remembers is in its own memory'],
  [/^DEFAULT\.enabled_apis$/, 'the Compute API and the metadata service always run'],
  [/^DEFAULT\.my_\w+$/, 'it stands only for itself, where another option says $ and its name'],
  [/^DEFAULT\.use_neutron$/, 'the networks are always those of its network service'],
  [/^DEFAULT\.firewall_driver$/, 'security groups are rules of its network service'],
  [/^DEFAULT\.compute_driver$/, '[minicloud] driver says which hypervisor is used'],
  [/^DEFAULT\.(state_path|instances_path|tempdir|pybasedir|bindir)$/, 'all its state is in [minicloud] data_dir'],
  [/^DEFAULT\.(rootwrap_config|use_rootwrap_daemon)$/, 'it runs no helper through rootwrap'],
  [/^DEFAULT\.(debug|verbose|log_\w+|logging_\w+|use_(syslog|stderr|journal|json|eventlog)|syslog_log_facility|default_log_levels)$/, logs],
  [/^DEFAULT\.(\w+_listen(_port)?|\w+_workers|ssl_only|cert|key|web)$/, listens],
  [/^wsgi\./, listens],
  [/^DEFAULT\.quota_\w+$/, quotas],
  [/^api\.auth_strategy$/, 'every request needs a token'],
  [/^(vnc|spice|serial_console)\.(server_listen|server_proxyclient_address|proxyclient_address)$/, sockets],
  [/^vnc\.vncserver_\w+$/, sockets],
  [/^(vnc|spice|serial_console)\.\w+(_host|_port)$/, listens],
]

/** Sections whose options are not all in the table: nobody can say that there is no such option. */
const openSection = /^(oslo_\w+|cors|cache|pci|profiler|os_vif\w*|vif_plug\w*|privsep\w*|ssl|vault|barbican\w*|cyborg|ironic|manila)$/

/** Options that older releases had. */
const former: Record<string, readonly string[]> = {
  vnc: ['vncserver_listen', 'vncserver_proxyclient_address'],
  scheduler: ['driver', 'host_manager', 'periodic_task_interval'],
  DEFAULT: [
    'rpc_backend',
    'auth_strategy',
    'verbose',
    'logdir',
    'lock_path',
    'dhcpbridge',
    'network_api_class',
    'linuxnet_interface_driver',
  ],
}

/** @returns a sentence's end, for `… is not used by minicloud: `. */
export function whyUnused(section: string, name: string, declared: ReadonlyMap<string, unknown>): string {
  const id = `${section}.${name}`
  const known = novaConfNames()
  const isKnown =
    known.get(section)?.has(name) || former[section]?.includes(name) || openSection.test(section) || /^(rpc|log|logging)_/.test(name)
  if (!isKnown) return unknownOption(section, name, known, declared)
  return reasons.find(([pattern]) => pattern.test(id))?.[1] ?? 'it has no such setting'
}

function unknownOption(
  section: string,
  name: string,
  known: ReadonlyMap<string, Set<string>>,
  declared: ReadonlyMap<string, unknown>,
): string {
  const own = [...declared.keys()].map((id): [string, string] => [id.slice(0, id.lastIndexOf('.')), id.slice(id.lastIndexOf('.') + 1)])
  const here = new Set([...own.flatMap(([of, option]) => (of === section ? [option] : [])), ...(known.get(section) ?? [])])
  const meant = nearest(name, here)
  if (meant !== null) return `there is no such option; is ${meant} meant?`
  const elsewhere = [...own, ...[...known].flatMap(([of, options]) => [...options].map((option): [string, string] => [of, option]))]
  const found = elsewhere.find(([, option]) => option === name)
  if (found) return `there is no such option; is the one of [${found[0]}] meant?`
  if (here.size > 0) return 'there is no such option'
  const near = nearest(section, new Set(elsewhere.map(([of]) => of)))
  return near === null ? 'there is no such section' : `there is no such section; is [${near}] meant?`
}
