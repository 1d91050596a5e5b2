/**
 * What things are called on the host. Every name is the cloud's prefix, a kind, and a hash of the uuid: the kernel allows 15 characters to a device, and a
 * name that can be computed needs no memory across a restart.
 *
 * | name | what |
 * |---|---|
 * | `mc-b<hash>` | a network's bridge | `mc-x<hash>`: the external bridge |
 * | `mc-d<hash>` | the bridge's leg into the network's namespace, there `ns0` |
 * | `mc-r<hash>` | the bridge's leg into a router, there `qr-<hash>` | `mc-g<hash>`: the external bridge's, there `qg0` |
 * | `mc-net-<uuid>`, `mc-router-<uuid>` | namespaces |
 * | `bridge mc_mc`, `inet mc_mc` | tables of rules in the namespace of the bridges; `ip mc_mc` in each router |
 */
import { createHash } from 'node:crypto'

/** @throws {RangeError} for a prefix that would not fit into names. */
export function makeNames(prefix: string) {
  if (!/^[a-z0-9]{1,5}$/.test(prefix)) throw new RangeError(`cloud prefix '${prefix}': 1 to 5 characters a-z, 0-9`)
  const device = (kind: string, of: string) => `${prefix}-${kind}${hash(of)}`
  return {
    bridge: (networkId: string) => device('b', networkId),
    external: (networkId: string) => device('x', networkId),
    dhcpLeg: (networkId: string) => device('d', networkId),
    routerLeg: (routerId: string, networkId: string) => device('r', `${routerId} ${networkId}`),
    gatewayLeg: (routerId: string) => device('g', routerId),
    networkSpace: (networkId: string) => `${prefix}-net-${networkId}`,
    routerSpace: (routerId: string) => `${prefix}-router-${routerId}`,
    table: `mc_${prefix}`,
    /** For the wildcard of a rule: every bridge of networks, the external bridges, every device of ours. */
    anyBridge: `${prefix}-b*`,
    anyExternal: `${prefix}-x*`,
    anyDevice: `${prefix}-*`,
    isBridge: matcher(prefix, '[bx][0-9a-f]{8}'),
    isLeg: matcher(prefix, '[drg][0-9a-f]{8}'),
    isSpace: matcher(prefix, '(net|router)-[0-9a-f-]{36}'),
  }
}

export type Names = ReturnType<typeof makeNames>

/** The leg of a router as seen from inside. */
export function innerLeg(networkId: string): string {
  return `qr-${hash(networkId)}`
}

/** The same locally administered address for the same words, so that guests' neighbour caches stay right when a leg is made again. */
export function derivedMac(words: string): string {
  return `fa:16:3e:${hash(words)
    .slice(0, 6)
    .replace(/..(?=.)/g, '$&:')}`
}

/** Eight hexadecimal digits. */
export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

function matcher(prefix: string, rest: string): (name: string) => boolean {
  const pattern = new RegExp(`^${prefix}-${rest}$`)
  return (name) => pattern.test(name)
}
