/**
 * Availability zones: groups of hosts that a user may ask for by name.
 *
 * @see https://docs.openstack.org/api-ref/compute/#availability-zones-os-availability-zone
 */
import { isoMicros } from '../../base/clock.ts'
import { type Incoming, operation } from '../../base/http/index.ts'
import { internalZone, type Service } from '../model/index.ts'
import type { NovaApi } from './deps.ts'
import { type Known, noQuery } from './known-query.ts'

/** A zone is available while one of its services is enabled, up or not. */
const isAvailable = (services: readonly Service[]): boolean => services.some(({ disabled }) => !disabled)

const listZones = operation({
  method: 'GET',
  path: '/os-availability-zone',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-availability-zone:list',
  query: noQuery,
  handle: (_request: Incoming<undefined, Known>, { model }: NovaApi) => ({
    availabilityZoneInfo: model.hosts
      .zones()
      .filter(({ name }) => name !== internalZone)
      .map(({ name, hosts }) => ({ zoneName: name, zoneState: { available: isAvailable([...hosts.values()].flat()) }, hosts: null })),
  }),
})

const serviceState = ({ disabled, up, lastSeenUp, updatedAt }: Service) => {
  const seenAt = lastSeenUp ?? updatedAt
  return { active: !disabled, available: up, updated_at: seenAt === null ? null : isoMicros(seenAt) }
}

const detailZones = operation({
  method: 'GET',
  path: '/os-availability-zone/detail',
  status: 200,
  errors: [400, 403],
  policy: 'os_compute_api:os-availability-zone:detail',
  query: noQuery,
  handle: (_request: Incoming<undefined, Known>, { model }: NovaApi) => ({
    availabilityZoneInfo: model.hosts.zones().map(({ name, hosts }) => {
      const available = isAvailable([...hosts.values()].flat())
      const shown = [...hosts].map(([host, services]) => {
        const enabled = services.filter(({ disabled }) => !disabled)
        return [host, Object.fromEntries(enabled.map((service) => [service.binary, serviceState(service)]))] as const
      })
      return {
        zoneName: name,
        zoneState: { available },
        hosts: available ? Object.fromEntries(shown.filter(([, services]) => Object.keys(services).length > 0)) : null,
      }
    }),
  }),
})

export const availabilityZoneOperations = [listZones, detailZones]
