import type { Ground } from '../../base/ground.ts'
import { InstanceActions } from './actions.ts'
import { Aggregates } from './aggregates.ts'
import { AuditLog } from './audit-log.ts'
import { BlockDevices } from './block-devices.ts'
import { novaConfig, quotaConfig } from './config.ts'
import { ConsoleTokens } from './console-tokens.ts'
import { Flavors } from './flavors.ts'
import { Hosts } from './hosts.ts'
import { InstanceExtras } from './instance-extras.ts'
import { Instances } from './instances.ts'
import { Keypairs } from './keypairs.ts'
import { Migrations } from './migrations.ts'
import { Quotas } from './quotas.ts'
import { ServerGroups } from './server-groups.ts'
import { Shares } from './shares.ts'

/** The compute service's nouns over one database. */
export type Model = {
  instances: Instances
  extras: InstanceExtras
  blockDevices: BlockDevices
  migrations: Migrations
  flavors: Flavors
  keypairs: Keypairs
  quotas: Quotas
  actions: InstanceActions
  hosts: Hosts
  aggregates: Aggregates
  serverGroups: ServerGroups
  shares: Shares
  auditLog: AuditLog
  consoleTokens: ConsoleTokens
}

export function makeModel(ground: Ground): Model {
  const { serviceDownTime, defaultAvailabilityZone } = ground.config.get(novaConfig)
  const quotas = new Quotas(ground, ground.config.get(quotaConfig))
  return {
    instances: new Instances(ground),
    extras: new InstanceExtras(ground),
    blockDevices: new BlockDevices(ground),
    migrations: new Migrations(ground),
    flavors: new Flavors(ground),
    keypairs: new Keypairs(ground),
    quotas,
    actions: new InstanceActions(ground),
    aggregates: new Aggregates(ground),
    serverGroups: new ServerGroups(ground, quotas),
    shares: new Shares(ground),
    auditLog: new AuditLog(ground),
    consoleTokens: new ConsoleTokens(ground),
    hosts: new Hosts(ground, { serviceDownMs: serviceDownTime * 1000, defaultZone: defaultAvailabilityZone }),
  }
}

export type { InstanceAction, InstanceActionEvent, InstanceActions } from './actions.ts'
export { type Aggregate, type Aggregates, zoneOfAggregate } from './aggregates.ts'
export { lastPeriod } from './audit-period.ts'
export type { BlockDevices, VolumeAttachment } from './block-devices.ts'
export { booleanWord, booleanWords, saysYes } from './boolean-words.ts'
export { apiConfig, glanceConfig, novaConfig, quotaConfig } from './config.ts'
export type { ConsoleToken, ConsoleTokens } from './console-tokens.ts'
export { type BlockDevice, type InstanceDisk, planDisks } from './disk-plan.ts'
export { Ec2Ids } from './ec2-ids.ts'
export { NoValidHost, type Rejection } from './errors.ts'
export {
  type Flavor,
  type Flavors,
  type FlavorViewer,
  groupedSpecs,
  type NewFlavor,
  resourcesOf,
  traitsOf,
} from './flavors.ts'
export { type GuestDevice, type GuestDisk, type GuestKey, GuestRecords, type RootDevices } from './guest-records.ts'
export { type ComputeNode, type Hosts, internalZone, type Service } from './hosts.ts'
export type { Expected, Fault, Instance, InstanceChange, InstanceSummary, InstanceViewer, NewInstance, RequestSpec } from './instance.ts'
export { Instances } from './instances.ts'
export type { Keypair, Keypairs } from './keypairs.ts'
export type { Migration, MigrationStatus, Migrations, MigrationType } from './migrations.ts'
export { type InstancePort, networkInfoOf, type PortSubnet } from './network-info.ts'
export { type Limits, type QuotaResource, type Quotas, quotaResources, type Room, type Usage } from './quotas.ts'
export type { GroupPolicy, GroupViewer, ServerGroup, ServerGroups } from './server-groups.ts'
export type { ShareMapping } from './shares.ts'
export { fingerprintOf, generateSshKey, type KeyType } from './ssh-keys.ts'
export { showsProgress, statesOf, statusOf, type TaskState, type VmState } from './states.ts'
export { generateX509Key } from './x509-keys.ts'
