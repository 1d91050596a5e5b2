/**
 * What may be done to a server when. Every vm_state with every task_state meets every action; the answer is that of
 * OpenStack's table, in OpenStack's words.
 *
 * Rows are set in the database, so that pairs stand here that no action leaves, and each request is made inside a
 * transaction that is rolled back: what it would begin never starts, and the next one finds the server as it was.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestAnswer } from '../support/api.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'
import {
  type ActionRequest,
  type ActionRow,
  actionRows,
  isHere,
  requestsOf,
  rowsWithoutRequest,
  type Scene,
  states,
} from '../support/server-requests.ts'

const compute = '/compute/v2.1'
const flags = { 'serial_console.enabled': 'true', 'fake.hosts': '3', 'quota.instances': '-1', 'quota.cores': '-1', 'quota.ram': '-1' }

/** A cloud with one server, and requests of which nothing stays. */
class Stage {
  readonly cloud: TestCloud
  readonly scene: Scene
  readonly #whole: Record<string, unknown>

  constructor(cloud: TestCloud, scene: Scene) {
    this.cloud = cloud
    this.scene = scene
    this.#whole = {
      vm_state: 'active',
      task_state: null,
      locked: 0,
      host: scene.host,
      launched_at: '2026-01-01 00:00:00.000000',
      deleted: 0,
    }
  }

  static async open(more: Record<string, string> = {}): Promise<Stage> {
    const cloud = await startTestCloud({ flags: { ...flags, ...more } })
    const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
    const network = (await cloud.call('GET', '/network/v2.0/networks?name=private', { as: 'demo' })).body.networks[0].id
    const body = {
      server: { name: 'web1', imageRef: image, flavorRef: '42', metadata: { a: 'b' }, networks: [{ uuid: network }], tags: ['kept'] },
    }
    const made = await cloud.call('POST', `${compute}/servers`, { as: 'demo', version: '2.52', body })
    const server = made.body.server.id
    await cloud.settle()
    const shown = (await cloud.call('GET', `${compute}/servers/${server}`)).body.server
    const ports = (await cloud.call('GET', `/network/v2.0/ports?device_id=${server}`)).body.ports
    const host = shown['OS-EXT-SRV-ATTR:host']
    await cloud.token('admin')
    return new Stage(cloud, { server, host, otherHost: host === 'host1' ? 'host2' : 'host1', image, network, port: ports[0].id })
  }

  /** The answer of a request to the server in this state; everything is as before when it has come. */
  async ask(row: Record<string, unknown>, request: ActionRequest, as: 'admin' | 'demo' = request.as ?? 'demo'): Promise<TestAnswer> {
    const { db } = this.cloud.cloud.ground
    const { server } = this.scene
    const over = new AbortController()
    db.sqlite.exec('BEGIN IMMEDIATE')
    try {
      const columns = { ...this.#whole, ...row }
      db.prepare(`UPDATE instances SET ${Object.keys(columns).map((column) => `${column} = @${column}`)} WHERE uuid = @uuid`).run({
        ...columns,
        uuid: server,
      })
      for (const [sql, ...values] of request.prepare?.(this.scene) ?? []) db.prepare(sql).run(...values)
      const [method = '', rest = ''] = request.operation.split(' ')
      const params: Record<string, string> = { server_id: server, ...request.params?.(this.scene) }
      const path = rest.replace(/#.*$/, '').replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? name)
      const answer = this.cloud.call(method, `${compute}${path}`, {
        as,
        ...(request.version === undefined ? {} : { version: request.version }),
        ...(request.body === undefined ? {} : { body: request.body(this.scene) }),
      })
      return await Promise.race([answer, this.#begun(over.signal)])
    } finally {
      over.abort()
      db.sqlite.exec('ROLLBACK')
      // Whatever waited for the commit is let go of.
      expect(() =>
        db.transaction(() => {
          throw new Error('nothing is kept')
        }),
      ).toThrow('nothing is kept')
    }
  }

  /** Resolves when a saga was begun whose end the answer waits for. */
  async #begun(over: AbortSignal): Promise<TestAnswer> {
    const sagas = this.cloud.cloud.ground.db.prepare<{ n: number }>('SELECT count(*) AS n FROM minicloud_sagas')
    const before = sagas.get()?.n
    for (let turn = 0; !over.aborted; turn++) {
      if (turn > 20 && sagas.get()?.n !== before) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { status: 202, headers: new Headers(), text: 'begun', body: undefined }
  }
}

const rows = actionRows.filter(({ name }) => !Object.hasOwn(rowsWithoutRequest, name))
const requests = rows.flatMap((row) =>
  (requestsOf[row.name] ?? []).filter((request) => isHere(request) && !request.neverFound).map((request) => ({ row, request })),
)
const vmStates = [...new Set(states.map(({ vmState }) => vmState))]
const refusal = ({ status, body }: TestAnswer) => [status, body?.conflictingRequest?.message]
const passes = ({ alsoPasses }: ActionRequest, { status, text }: TestAnswer) =>
  status < 300 || alsoPasses?.test(`${status} ${text}`) === true

/** What the table says of an action in a state: the sentence of its refusal, or that it is let pass. */
function refusalOf(
  { vmStates, allowsTask }: ActionRow,
  word: string,
  server: string,
  vmState: string,
  taskState: string | null,
): string | null {
  const cannot = `Cannot '${word}' instance ${server} while it is in`
  if (vmStates && !vmStates.includes(vmState)) return `${cannot} vm_state ${vmState}`
  return allowsTask(taskState) ? null : `${cannot} task_state ${taskState ?? 'None'}`
}

let stage: Stage
let softly: Stage
beforeAll(async () => {
  stage = await Stage.open()
  softly = await Stage.open({ 'DEFAULT.reclaim_instance_interval': '3600' })
})
afterAll(async () => {
  await stage?.cloud[Symbol.asyncDispose]()
  await softly?.cloud[Symbol.asyncDispose]()
})

describe.skipIf(states.length === 0)('every state', () => {
  it('is in the table, and so is every action', () => {
    expect([vmStates.length, states.length, actionRows.length]).toEqual([12, 516, 49])
    expect(rows.map(({ name }) => name).filter((name) => !Object.hasOwn(requestsOf, name))).toEqual([])
    expect(Object.keys({ ...requestsOf, ...rowsWithoutRequest }).filter((name) => !actionRows.some((row) => row.name === name))).toEqual([])
  })

  it.each(vmStates)('%s: shows its status', async (vmState) => {
    for (const { taskState, status } of states.filter((state) => state.vmState === vmState)) {
      const shown = await stage.ask({ vm_state: vmState, task_state: taskState }, { word: '', operation: 'GET /servers/{server_id}' })
      expect([taskState, shown.body.server.status]).toEqual([taskState, status])
    }
  })

  it.each(vmStates)(
    '%s: lets pass what the table lets pass',
    async (vmState) => {
      const wrong: string[] = []
      for (const { taskState } of states.filter((state) => state.vmState === vmState)) {
        for (const { row, request } of requests) {
          const answer = await stage.ask({ vm_state: vmState, task_state: taskState }, request)
          const expected = refusalOf(row, request.word, stage.scene.server, vmState, taskState)
          const isRight =
            expected === null ? passes(request, answer) : answer.status === 409 && answer.body?.conflictingRequest?.message === expected
          if (!isRight)
            wrong.push(`${row.name} in ${vmState}, ${taskState}: ${answer.status} ${answer.text}, not ${expected ?? 'let pass'}`)
        }
      }
      expect(wrong.slice(0, 20)).toEqual([])
    },
    60_000,
  )

  it('is one to delete from, kept to be restored or not', async () => {
    const [request] = requestsOf.delete as [ActionRequest]
    for (const { vmState, taskState } of states.filter(({ occurs }) => occurs))
      expect([taskState, (await softly.ask({ vm_state: vmState, task_state: taskState }, request)).status]).toEqual([taskState, 204])
  })
})

const named = requests.map(({ row, request }) => [row.name, request.operation, row, request] as const)

describe.skipIf(states.length === 0)('a lock', () => {
  it.each(named)('%s (%s)', async (_name, _operation, row, request) => {
    for (const vmState of ['active', 'stopped', 'error', 'building', 'shelved_offloaded']) {
      const answer = await stage.ask({ vm_state: vmState, locked: 1 }, request, 'demo')
      if (request.as === 'admin' && answer.status === 403) continue
      if (row.checksLock) expect(refusal(answer), vmState).toEqual([409, `Instance ${stage.scene.server} is locked`])
      else expect(answer.text, vmState).not.toContain('locked')
    }
    expect((await stage.ask({ locked: 1 }, request, 'admin')).text).not.toContain('locked')
  })
})

describe.skipIf(states.length === 0)('a server that has never run', () => {
  it.each(named)('%s (%s)', async (_name, _operation, row, request) => {
    const [vmState = 'active'] = row.vmStates ?? []
    const taskState = row.allowsTask(null) ? null : 'migrating'
    const answer = await stage.ask({ vm_state: vmState, task_state: taskState, launched_at: null }, request)
    if (row.mustHaveLaunched)
      expect(refusal(answer)).toEqual([409, `Instance ${stage.scene.server} is in an invalid state for '${request.word}'`])
    else expect(answer.text).not.toContain('invalid state')
  })

  const building = { vm_state: 'building', task_state: 'scheduling', host: null, launched_at: null }
  it.each(['os-start', 'os-stop', 'os-getConsoleOutput', 'remote-consoles', 'diagnostics'])('%s needs a host first', async (name) => {
    for (const request of requestsOf[name] ?? [])
      expect(refusal(await stage.ask(building, request))).toEqual([409, `Instance ${stage.scene.server} is not ready`])
  })

  it('cannot be paused while it is built', async () => {
    const [request] = requestsOf.pause as [ActionRequest]
    expect(refusal(await stage.ask(building, request))).toEqual([
      409,
      `Cannot 'pause' instance ${stage.scene.server} while it is in vm_state building`,
    ])
  })
})
