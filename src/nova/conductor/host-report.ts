/** A host's report: its service is alive, its node has these figures, its resource provider this inventory. */
import type { HostReport } from '../compute/index.ts'
import { novaConfig } from '../model/index.ts'
import type { ConductorDeps } from './deps.ts'

const gib = 1024

const disabledTrait = 'COMPUTE_STATUS_DISABLED'

/** What the driver says, whether the service is disabled, and the custom traits that operators have given the host. */
function traitsOfHost(
  model: ConductorDeps['model'],
  placement: ConductorDeps['placement'],
  uuid: string,
  { host, resources: { traits } }: HostReport,
): string[] {
  const custom = placement.traitsOf(uuid).filter((name) => name.startsWith('CUSTOM_'))
  const isDisabled = model.hosts.services({ host, binary: 'nova-compute' }).some(({ disabled }) => disabled)
  return [...new Set([...traits, ...custom, ...(isDisabled ? [disabledTrait] : [])])]
}

/** Placement is told at once of a service that was enabled or disabled. */
export function tellStatus({ model, placement }: Pick<ConductorDeps, 'model' | 'placement'>, host: string): void {
  for (const node of model.hosts.nodes().filter((each) => each.host === host))
    placement.setTraits(node.uuid, traitsOfHost(model, placement, node.uuid, { host, resources: node.resources }))
}

export function recordHost({ db, model, placement, config }: ConductorDeps, { host, resources }: HostReport): void {
  const { cpuAllocationRatio, ramAllocationRatio, diskAllocationRatio, reservedHostMemoryMb, reservedHostDiskMb } = config.get(novaConfig)
  const inventory = (total: number, reserved: number, allocationRatio: number) => ({
    total,
    reserved: Math.min(reserved, total),
    minUnit: 1,
    maxUnit: total,
    stepSize: 1,
    allocationRatio,
  })
  db.transaction(() => {
    model.hosts.reportService(host, 'nova-compute', 'compute')
    const uuid = model.hosts.reportNode(host, resources, { cpu: cpuAllocationRatio, ram: ramAllocationRatio, disk: diskAllocationRatio })
    placement.ensureProvider({ uuid, name: resources.hypervisorHostname })
    placement.setInventory(uuid, {
      VCPU: inventory(resources.vcpus, 0, cpuAllocationRatio),
      MEMORY_MB: inventory(resources.memoryMib, reservedHostMemoryMb, ramAllocationRatio),
      DISK_GB: inventory(resources.diskGib, Math.ceil(reservedHostDiskMb / gib), diskAllocationRatio),
    })
    placement.setTraits(uuid, traitsOfHost(model, placement, uuid, { host, resources }))
  })
}
