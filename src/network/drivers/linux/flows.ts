/** Ends established flows that the rules no longer allow: rules are asked for a flow's first packet only, so that a rule taken away would go on working for them. */
import type { NetworkPlan } from '../driver.ts'
import { CommandFailed } from '../errors.ts'
import type { Host } from './host.ts'
import { inside, run } from './run.ts'
import { type Ruleset, zoneOf } from './tables.ts'

/** Addresses whose incoming or outgoing flows lost a rule between two plans of a network. */
export function lostFlows(
  before: { plan: NetworkPlan; rules: Ruleset },
  after: { rules: Ruleset } | null,
): { ip: string; way: 'in' | 'out' }[] {
  return before.plan.ports.flatMap((port) =>
    (['in', 'out'] as const).flatMap((way) => {
      const was = before.rules.chains.get(`inet ${way}_${port.tap}`) ?? []
      const is = new Set(after?.rules.chains.get(`inet ${way}_${port.tap}`))
      return was.every((statement) => is.has(statement)) ? [] : port.fixedIps.map(({ ip }) => ({ ip, way }))
    }),
  )
}

/** Without the program `conntrack` the flows live on until they end by themselves; that is said once by `capabilities`, and here in the log. */
export async function cutFlows(host: Host, network: NetworkPlan, lost: { ip: string; way: 'in' | 'out' }[]): Promise<void> {
  const zone = String(zoneOf(host.prefix, network.zone))
  for (const { ip, way } of lost) {
    const family = ip.includes(':') ? 'ipv6' : 'ipv4'
    try {
      await run(inside(host.space, ['conntrack', '-D', '-f', family, '-w', zone, way === 'in' ? '--orig-dst' : '--orig-src', ip]))
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      if (/\b0 flow entries/.test(error.stderr)) continue
      host.log.warn(`flows of ${ip} that the rules no longer allow go on until they end: ${error.message}`)
      return
    }
  }
}
