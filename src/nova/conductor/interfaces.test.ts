import { expect } from 'vitest'
import type { TestCompute } from '../../../test/support/compute.ts'
import { sagaLaws } from '../../../test/support/saga-laws.ts'
import { serverWorld } from '../../../test/support/server-laws.ts'
import type { ConductorDeps } from './deps.ts'
import { type AttachInput, attachInterface, type DetachInput, detachInterface } from './interfaces.ts'

const macs = async (cloud: TestCompute, uuid: string) => Object.keys((await cloud.drivers[0]?.diagnostics?.(uuid))?.nics ?? {}).length

async function prepare(cloud: TestCompute): Promise<{ uuid: string; input: AttachInput }> {
  const { uuid } = await cloud.build()
  const nic = { networkId: cloud.networkId, portId: null, fixedIp: null, tag: 'public' }
  return { uuid, input: { uuid, host: 'host1', nic, key: `${uuid}:req-1` } }
}

sagaLaws<AttachInput, ConductorDeps>('attaching an interface', attachInterface, () =>
  serverWorld({
    prepare,
    async done(cloud, instance) {
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(2)
      expect(instance.ports.map(({ tag }) => tag)).toEqual([null, 'public'])
      expect(await macs(cloud, instance.uuid)).toBe(2)
    },
    async undone(cloud, instance) {
      expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
      expect(instance).toMatchObject({ vmState: 'active', taskState: null, ports: [{ tag: null }] })
      expect(instance.ports).toHaveLength(1)
      expect(await macs(cloud, instance.uuid)).toBe(1)
    },
  }),
)

sagaLaws<DetachInput, ConductorDeps>(
  'detaching an interface',
  detachInterface,
  () =>
    serverWorld({
      async prepare(cloud) {
        const { uuid, input } = await prepare(cloud)
        await cloud.deps.sagas.start(attachInterface, input, { key: uuid })
        const port = cloud.deps.networks.portsOf(uuid).find(({ key }) => key === input.key)
        return { uuid, input: { uuid, host: 'host1', portId: port?.id ?? '', mac: port?.mac ?? '' } }
      },
      async done(cloud, instance) {
        expect(cloud.deps.networks.portsOf(instance.uuid)).toHaveLength(1)
        expect(instance.ports).toHaveLength(1)
        expect(await macs(cloud, instance.uuid)).toBe(1)
      },
      undone() {},
    }),
  { forwardOnly: true },
)
