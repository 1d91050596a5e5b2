/**
 * Orders the hosts that passed, best first.
 *
 * A weigher's raw scores are stretched to 0..1 over the hosts at hand, so that a multiplier means the same for free
 * memory (MiB) as for a count of servers. Equals keep the order they came in.
 *
 * @see https://docs.openstack.org/nova/latest/admin/scheduling.html#weights
 */
import { aggregateNumber, type HostState, type ScheduleRequest } from './host-state.ts'

export type Weigher = {
  readonly name: string
  readonly multiplier: number
  /** What an aggregate's metadata calls the multiplier, to say another for its hosts. */
  readonly key: string
  readonly score: (host: HostState, request: ScheduleRequest) => number
}

export function rank(hosts: readonly HostState[], weighers: readonly Weigher[], request: ScheduleRequest): HostState[] {
  const ranked = hosts.map((host) => ({ host, weight: 0 }))
  for (const { multiplier, key, score } of weighers) {
    const scores = hosts.map((host) => score(host, request))
    const low = Math.min(...scores)
    const span = Math.max(...scores) - low
    if (span <= 0) continue
    for (const [i, entry] of ranked.entries())
      entry.weight += (aggregateNumber(entry.host, key, multiplier) * ((scores[i] ?? low) - low)) / span
  }
  return ranked.sort((a, b) => b.weight - a.weight).map(({ host }) => host)
}
