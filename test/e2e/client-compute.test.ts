/** Every command that the real `openstack` has for Compute, at its oldest and its newest version, on three pretended hosts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasClients, startClients } from '../support/client.ts'
import { serve } from '../support/process.ts'
import { type Desk, newest } from './client/desk.ts'
import { hostCommands } from './client/hosts.ts'
import { moveCommands } from './client/moves.ts'
import { projectCommands } from './client/projects.ts'
import { serverNetworkCommands } from './client/server-networks.ts'
import { serverCommands } from './client/servers.ts'

/** Commands of no service that speak to Compute. */
const common = ['availability zone list', 'extension list', 'limits show', 'quota list', 'quota set', 'quota show', 'versions show']

describe.skipIf(!hasClients && !process.env.CI)('openstack', () => {
  let desk: Desk
  beforeAll(async () => {
    const env = {
      MINICLOUD_FAKE_HOSTS: '3',
      MINICLOUD_COMPUTE_HOST: 'host1',
      MINICLOUD_FAKE_LIVE_MIGRATION_DELAY_MS: '10000',
      MINICLOUD_RECLAIM_INSTANCE_INTERVAL: '3600',
    }
    const cloud = await serve({ driver: 'fake', env })
    const clients = await startClients(cloud)
    const at = (version: string) => clients.openstack({ version })
    desk = { cloud, clients, at, old: at('2.1'), recent: at(newest), demo: clients.openstack({ cloud: 'minicloud-demo' }) }
  })
  afterAll(async () => {
    await desk?.clients[Symbol.asyncDispose]()
    await desk?.cloud[Symbol.asyncDispose]()
  })

  hostCommands(() => desk)
  projectCommands(() => desk)
  serverCommands(() => desk)
  serverNetworkCommands(() => desk)
  moveCommands(() => desk)

  it('has no command for Compute that was not run above', async () => {
    const [{ Commands }] = await desk.old.json('command', 'list', '--group', 'openstack.compute.v2')
    expect([...Commands, ...common].filter((command) => !desk.clients.ran.has(`openstack ${command}`))).toEqual([])
  })
})
