/**
 * Flavors on the wire, by microversion.
 *
 * @see https://docs.openstack.org/api-ref/compute/#flavors
 */
import { atLeast, field, view } from '../../base/http/index.ts'
import type { Flavor } from '../model/index.ts'
import { links } from './links.ts'

/** `showsExtraSpecs`: whether the caller may read them. */
export type ShownFlavor = { readonly flavor: Flavor; readonly showsExtraSpecs: boolean }

const pathOf = ({ flavorId }: Flavor): string => `/flavors/${encodeURIComponent(flavorId)}`

export const flavorSummary = view<ShownFlavor>({
  id: ({ flavor }) => flavor.flavorId,
  name: ({ flavor }) => flavor.name,
  links: ({ flavor }, context) => links(context, pathOf(flavor)),
  description: field(({ flavor }) => flavor.description, { since: '2.55' }),
})

export const flavorView = view<ShownFlavor>({
  id: ({ flavor }) => flavor.flavorId,
  name: ({ flavor }) => flavor.name,
  ram: ({ flavor }) => flavor.memoryMib,
  disk: ({ flavor }) => flavor.rootGib,
  swap: ({ flavor }, context) => (flavor.swapMib === 0 && !atLeast(context, '2.75') ? '' : flavor.swapMib),
  'OS-FLV-EXT-DATA:ephemeral': ({ flavor }) => flavor.ephemeralGib,
  'OS-FLV-DISABLED:disabled': field(({ flavor }) => flavor.disabled, { until: '2.101' }),
  vcpus: ({ flavor }) => flavor.vcpus,
  'os-flavor-access:is_public': ({ flavor }) => flavor.isPublic,
  rxtx_factor: field(({ flavor }) => flavor.rxtxFactor, { until: '2.101' }),
  links: ({ flavor }, context) => links(context, pathOf(flavor)),
  description: field(({ flavor }) => flavor.description, { since: '2.55' }),
  extra_specs: field(({ flavor, showsExtraSpecs }) => (showsExtraSpecs ? flavor.extraSpecs : undefined), { since: '2.61' }),
})
