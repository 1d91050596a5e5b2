/**
 * Flavors as instances keep them: a copy in the form in which Nova's objects are serialised, so that whoever reads Nova's
 * database finds what Nova would have written.
 */
import { remembered } from '../../base/remembered.ts'
import { type Flavor, type FlavorRow, toFlavor } from './flavors.ts'

/** An instance's own copies: during a resize also the one that it had, or is to have. */
export type HeldFlavors = { current: Flavor; old: Flavor | null; new: Flavor | null }

type Embedded = {
  'nova_object.data': Omit<FlavorRow, 'disabled' | 'is_public' | 'extra_specs'> & {
    disabled: boolean
    is_public: boolean
    extra_specs: Record<string, string>
  }
}

function embed(flavor: Flavor): unknown {
  const data = {
    id: flavor.id,
    flavorid: flavor.flavorId,
    name: flavor.name,
    vcpus: flavor.vcpus,
    memory_mb: flavor.memoryMib,
    root_gb: flavor.rootGib,
    ephemeral_gb: flavor.ephemeralGib,
    swap: flavor.swapMib,
    rxtx_factor: flavor.rxtxFactor,
    vcpu_weight: 0,
    disabled: flavor.disabled,
    is_public: flavor.isPublic,
    description: flavor.description,
    extra_specs: flavor.extraSpecs,
    created_at: null,
    updated_at: null,
    deleted_at: null,
    deleted: false,
  }
  return { 'nova_object.name': 'Flavor', 'nova_object.namespace': 'nova', 'nova_object.version': '1.2', 'nova_object.data': data }
}

function unembed({ 'nova_object.data': { disabled, is_public, extra_specs, ...row } }: Embedded): Flavor {
  return toFlavor({ ...row, disabled: disabled ? 1 : 0, is_public: is_public ? 1 : 0, extra_specs: JSON.stringify(extra_specs) })
}

/** The form in which Nova's objects are serialised. */
export const flavorsText = (held: HeldFlavors): string =>
  JSON.stringify({ cur: embed(held.current), old: held.old && embed(held.old), new: held.new && embed(held.new) })

export function flavorsIn(text: string): HeldFlavors {
  const parsed = JSON.parse(text) as { cur: Embedded; old?: Embedded | null; new?: Embedded | null }
  return { current: unembed(parsed.cur), old: parsed.old ? unembed(parsed.old) : null, new: parsed.new ? unembed(parsed.new) : null }
}

export const embedFlavor = (flavor: Flavor): string => flavorsText({ current: flavor, old: null, new: null })

/** The current one of what {@link flavorsText} wrote. Most instances share a few flavors: the same text gives the same object. */
export const embeddedFlavor = remembered((text: string): Flavor => flavorsIn(text).current)
