/** The Placement API: all operations, by resource. */
import { aggregateOperations } from './aggregates.ts'
import { allocationOperations } from './allocations.ts'
import { candidateOperations } from './candidates.ts'
import { classOperations } from './classes.ts'
import { inventoryOperations } from './inventories.ts'
import { providerOperations } from './providers.ts'
import { reshaperOperations } from './reshaper.ts'
import { rootOperations } from './root.ts'
import { traitOperations } from './traits.ts'
import { usageOperations } from './usages.ts'

export { policies } from './policy.ts'
export { maxVersion, minVersion } from './root.ts'

export const operations = [
  ...rootOperations,
  ...providerOperations,
  ...inventoryOperations,
  ...aggregateOperations,
  ...traitOperations,
  ...classOperations,
  ...usageOperations,
  ...allocationOperations,
  ...candidateOperations,
  ...reshaperOperations,
]
