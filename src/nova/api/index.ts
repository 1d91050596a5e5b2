/** The Compute API: its services, ready to be mounted. */
import { novaDialect, type Service } from '../../base/http/index.ts'
import { aggregateOperations } from './aggregates.ts'
import { assistedSnapshotOperations } from './assisted-snapshots.ts'
import { availabilityZoneOperations } from './availability-zones.ts'
import { baremetalNodeOperations } from './baremetal-nodes.ts'
import { consoleOperations } from './consoles.ts'
import type { NovaApi } from './deps.ts'
import { extensionOperations } from './extensions.ts'
import { externalEventOperations } from './external-events.ts'
import { flavorAccessOperations } from './flavor-access.ts'
import { flavorExtraSpecOperations } from './flavor-extra-specs.ts'
import { flavorOperations } from './flavors.ts'
import { floatingIpOperations } from './floating-ips.ts'
import { goneOperations } from './gone.ts'
import { hostOperations } from './hosts.ts'
import { hypervisorOperations } from './hypervisors.ts'
import { imageOperations } from './images.ts'
import { instanceActionOperations } from './instance-actions.ts'
import { keypairOperations } from './keypairs.ts'
import { limitOperations } from './limits.ts'
import { migrationOperations } from './migrations.ts'
import { networkProxyOperations } from './network-proxies.ts'
import { policies } from './policy.ts'
import { quotaClassSetOperations } from './quota-class-sets.ts'
import { quotaSetOperations } from './quota-sets.ts'
import { securityGroupOperations } from './security-groups.ts'
import { serverActionOperations } from './server-actions.ts'
import { serverAddressOperations } from './server-addresses.ts'
import { serverAdminOperations } from './server-admin-actions.ts'
import { aimed } from './server-aim.ts'
import { serverGroupOperations } from './server-groups.ts'
import { serverInsightOperations } from './server-insight.ts'
import { serverInterfaceOperations } from './server-interfaces.ts'
import { serverIpOperations } from './server-ips.ts'
import { serverLiveMigrationOperations } from './server-live-migration.ts'
import { serverMetadataOperations } from './server-metadata.ts'
import { serverMigrationOperations } from './server-migrations.ts'
import { serverMoveOperations } from './server-moves.ts'
import { serverRebuildOperations } from './server-rebuild.ts'
import { serverRescueOperations } from './server-rescue.ts'
import { serverResizeOperations } from './server-resize.ts'
import { serverSecurityGroupOperations } from './server-security-groups.ts'
import { serverShareOperations } from './server-shares.ts'
import { serverShelveOperations } from './server-shelve.ts'
import { serverSnapshotOperations } from './server-snapshots.ts'
import { serverTagOperations } from './server-tags.ts'
import { serverOperations } from './servers.ts'
import { serviceOperations } from './services.ts'
import { tenantUsageOperations } from './tenant-usage.ts'
import { usageAuditOperations } from './usage-audit.ts'
import { rootOperations, versionOperations } from './versions.ts'
import { volumeAttachmentOperations } from './volume-attachments.ts'
import { volumeOperations } from './volumes.ts'
import { volumesBootOperations } from './volumes-boot.ts'

const direct = [
  ...versionOperations,
  ...serverOperations,
  ...serverActionOperations,
  ...serverAdminOperations,
  ...serverResizeOperations,
  ...serverMoveOperations,
  ...serverShelveOperations,
  ...serverLiveMigrationOperations,
  ...serverMigrationOperations,
  ...serverRescueOperations,
  ...serverInsightOperations,
  ...serverRebuildOperations,
  ...serverSnapshotOperations,
  ...serverMetadataOperations,
  ...serverIpOperations,
  ...serverInterfaceOperations,
  ...serverSecurityGroupOperations,
  ...serverTagOperations,
  ...volumeAttachmentOperations,
  ...serverShareOperations,
  ...volumeOperations,
  ...consoleOperations,
  ...instanceActionOperations,
  ...flavorOperations,
  ...flavorExtraSpecOperations,
  ...flavorAccessOperations,
  ...keypairOperations,
  ...limitOperations,
  ...quotaSetOperations,
  ...quotaClassSetOperations,
  ...availabilityZoneOperations,
  ...aggregateOperations,
  ...serverGroupOperations,
  ...usageAuditOperations,
  ...tenantUsageOperations,
  ...migrationOperations,
  ...hostOperations,
  ...externalEventOperations,
  ...assistedSnapshotOperations,
  ...hypervisorOperations,
  ...serviceOperations,
  ...extensionOperations,
  ...imageOperations,
  ...serverAddressOperations,
  ...networkProxyOperations,
  ...floatingIpOperations,
  ...securityGroupOperations,
  ...baremetalNodeOperations,
  ...goneOperations,
]
export const computeOperations = [...direct, ...volumesBootOperations(direct)]

/** Its policies, for whoever lists them all. */
export const computePolicies = { service: 'compute', policies, scopes: ['project'] as const, operations: computeOperations }

/** `root` is mounted at `/compute`, `v21` at `/compute/v2.1`; `v20` at `/compute/v2`, for clients that know no microversions. */
export function makeComputeApi(deps: NovaApi): { root: Service<NovaApi>; v20: Service<NovaApi>; v21: Service<NovaApi> } {
  const root: Service<NovaApi> = { name: 'compute', dialect: novaDialect, operations: rootOperations, deps, tellsRequestId: false }
  const versioned: Service<NovaApi> = {
    name: 'compute',
    dialect: novaDialect,
    operations: computeOperations.map(aimed),
    deps,
    policies,
    scopes: computePolicies.scopes,
    projectInPath: true,
    answersHead: false,
    rootHasSlash: true,
    toleratesSlash: false,
    jsonOnly: true,
  }
  return {
    root,
    v20: { ...versioned, frozenAt: '2.1' },
    v21: {
      ...versioned,
      microversions: { service: 'compute', legacyHeader: 'X-OpenStack-Nova-API-Version', min: '2.1', max: '2.104' },
    },
  }
}

export type { NovaApi } from './deps.ts'
export { noVolumeService, type VolumeService } from './volume-service.ts'
