/**
 * Plans without the parts that the host's programs would refuse. A part like that should never have come into the database; if
 * it has, it stays out alone: a port without rules is a dead one, while a plan that is refused as a whole would leave everybody
 * else on the host with the rules of yesterday.
 */
import type { NetworkPlan, RouterPlan } from './drivers/driver.ts'
import { checkNetwork, checkPort, checkRouter } from './drivers/validate.ts'

/** Is told of each part that is left out. */
export type Refused = (part: { port: string } | { network: string } | { router: string }, error: unknown) => void

function passes(check: () => void, refused: (error: unknown) => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    refused(error)
    return false
  }
}

export function soundNetworks(plans: Iterable<NetworkPlan>, refused: Refused): NetworkPlan[] {
  return [...plans]
    .map((plan) => ({
      ...plan,
      ports: plan.ports.filter((port) =>
        passes(
          () => checkPort(port),
          (error) => refused({ port: port.id }, error),
        ),
      ),
    }))
    .filter((plan) =>
      passes(
        () => checkNetwork(plan),
        (error) => refused({ network: plan.id }, error),
      ),
    )
}

export function soundRouters(plans: Iterable<RouterPlan>, refused: Refused): RouterPlan[] {
  return [...plans].filter((plan) =>
    passes(
      () => checkRouter(plan),
      (error) => refused({ router: plan.id }, error),
    ),
  )
}
