/** What actions on a server cost on the fake hypervisor; a create and delete of the same run is the peer. */
import { serve } from '../../support/process.ts'
import { type CaseResult, cpuMs, figure, type Row } from '../measure.ts'
import { roomy, Session } from '../session.ts'

const servers = 40
const rounds = 2
const deadlineMs = 30_000

/** There and back again, so that it can be done over and over: each body with the status that it leads to. */
type Way = { what: string; steps: readonly (readonly [body: unknown, status: string])[] }

export async function actionsCase(): Promise<CaseResult> {
  await using cloud = await serve({ env: { ...roomy, MINICLOUD_FAKE_HOSTS: '2' } })
  using session = await Session.open(cloud)
  const larger = (await session.json({ path: '/compute/v2.1/flavors/detail' })).flavors.find(({ id }: { id: string }) => id !== '42').id
  const ways: Way[] = [
    {
      what: 'stop, start',
      steps: [
        [{ 'os-stop': null }, 'SHUTOFF'],
        [{ 'os-start': null }, 'ACTIVE'],
      ],
    },
    { what: 'reboot', steps: [[{ reboot: { type: 'SOFT' } }, 'ACTIVE']] },
    {
      what: 'pause, unpause',
      steps: [
        [{ pause: null }, 'PAUSED'],
        [{ unpause: null }, 'ACTIVE'],
      ],
    },
    {
      what: 'suspend, resume',
      steps: [
        [{ suspend: null }, 'SUSPENDED'],
        [{ resume: null }, 'ACTIVE'],
      ],
    },
    {
      what: 'lock, unlock',
      steps: [
        [{ lock: null }, 'ACTIVE'],
        [{ unlock: null }, 'ACTIVE'],
      ],
    },
    { what: 'rebuild', steps: [[{ rebuild: { imageRef: session.imageId } }, 'ACTIVE']] },
    {
      what: 'rescue, unrescue',
      steps: [
        [{ rescue: null }, 'RESCUE'],
        [{ unrescue: null }, 'ACTIVE'],
      ],
    },
    {
      what: 'resize, revert',
      steps: [
        [{ resize: { flavorRef: larger } }, 'VERIFY_RESIZE'],
        [{ revertResize: null }, 'ACTIVE'],
      ],
    },
    {
      what: 'migrate, confirm',
      steps: [
        [{ migrate: null }, 'VERIFY_RESIZE'],
        [{ confirmResize: null }, 'ACTIVE'],
      ],
    },
    { what: 'live migration', steps: [[{ 'os-migrateLive': { host: null, block_migration: 'auto' } }, 'ACTIVE']] },
    {
      what: 'shelve, unshelve',
      steps: [
        [{ shelve: null }, 'SHELVED_OFFLOADED'],
        [{ unshelve: null }, 'ACTIVE'],
      ],
    },
  ]
  const cost = async (work: () => Promise<void>, count: number) => {
    const before = cpuMs(session.pid)
    await work()
    return (cpuMs(session.pid) - before) / count
  }
  const build = async () => {
    await session.burst('peer', servers)
    await session.removeAll('peer')
  }
  await build()
  const peer = await cost(build, servers)
  await session.burst('acted', servers)
  const ids = (await session.json({ path: '/compute/v2.1/servers?name=acted-' })).servers.map(({ id }: { id: string }) => id) as string[]
  const rows: Row[] = [{ what: 'create, delete', value: figure(peer, 'ms') }]
  for (const { what, steps } of ways) {
    const go = async () => {
      for (const [body, status] of steps) {
        for (const id of ids) await act(session, id, body)
        for (const id of ids) await settle(session, id, status)
      }
    }
    await go()
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < rounds; round++) best = Math.min(best, await cost(go, servers))
    const ratio = best / peer
    rows.push({ what, value: `${figure(best, 'ms')} (${figure(ratio, '×')})`, bar: '≤ 2 ×', met: ratio <= 2 })
  }
  return { name: 'CPU of actions, until they are done (fake hypervisor), against a create and delete', rows }
}

/** @throws {Error} when it is refused. */
async function act(session: Session, id: string, action: unknown): Promise<void> {
  const { status, body } = await session.send({ method: 'POST', path: `/compute/v2.1/servers/${id}/action`, body: JSON.stringify(action) })
  if (status >= 300) throw new Error(`${JSON.stringify(action)}: ${status} ${body.toString('utf8', 0, 400)}`)
}

/** @throws {Error} when the server does not come to the status in time. */
async function settle(session: Session, id: string, status: string): Promise<void> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const { server } = await session.json({ path: `/compute/v2.1/servers/${id}` })
    if (server.status === status && server['OS-EXT-STS:task_state'] === null) return
    if (Date.now() > deadline) throw new Error(`the server is ${server.status} (${server['OS-EXT-STS:task_state']}), not ${status}`)
  }
}
