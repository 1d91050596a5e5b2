/**
 * What may be done to a server when. Every vm_state with every task_state meets every action; the answer is that of
 * OpenStack's table, in OpenStack's words. Rows are set in the database, so that pairs stand here that no action leaves.
 */
import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FakeDriver } from '../../src/nova/virt/fake/index.ts'
import type { TestAnswer } from '../support/api.ts'
import { startTestCloud, type TestCloud } from '../support/cloud.ts'

const facts = (name: string) => new URL(`../../../shared/openstack-api/${name}`, import.meta.url)
const rowsOf = (name: string): string[][] =>
  existsSync(facts(name))
    ? readFileSync(facts(name), 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split('\t'))
    : []
const states = rowsOf('compute-states.tsv').map(([vmState = '', taskState = '', , status = '']) => ({
  vmState,
  taskState: taskState === '(none)' ? null : taskState,
  status,
}))
const rules = rowsOf('compute-actions.tsv')

let cloud: TestCloud
let id: string
const compute = '/compute/v2.1'
const server = (row: Record<string, unknown>) => {
  const columns = Object.keys(row)
  cloud.cloud.ground.db
    .prepare(`UPDATE instances SET ${columns.map((column) => `${column} = @${column}`).join(', ')} WHERE uuid = @uuid`)
    .run({ ...row, uuid: id })
}
const whole = { vm_state: 'active', task_state: null, locked: 0, host: 'host1', launched_at: '2026-01-01 00:00:00.000000', deleted: 0 }

beforeAll(async () => {
  cloud = await startTestCloud()
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const body = { server: { name: 'web1', imageRef: image, flavorRef: '42', metadata: { a: 'b' } } }
  id = (await cloud.call('POST', `${compute}/servers`, { as: 'demo', body })).body.server.id
  await cloud.settle()
})
afterAll(() => cloud[Symbol.asyncDispose]())

type Request = { method: string; path: string; version?: string; body?: unknown }
const act = (body: unknown): Request => ({ method: 'POST', path: '/action', body })
const tags = '2.26'

/** Row of the table → the requests that it governs, and how a refusal names each. */
const actions: Record<string, Record<string, Request>> = {
  'os-start': { start: act({ 'os-start': null }) },
  'os-stop': { stop: act({ 'os-stop': null }) },
  'reboot SOFT': { reboot: act({ reboot: { type: 'SOFT' } }) },
  'reboot HARD': { reboot: act({ reboot: { type: 'HARD' } }) },
  pause: { pause: act({ pause: null }) },
  unpause: { unpause: act({ unpause: null }) },
  suspend: { suspend: act({ suspend: null }) },
  resume: { resume: act({ resume: null }) },
  delete: { delete: { method: 'DELETE', path: '' } },
  'os-getConsoleOutput': { get_console_output: act({ 'os-getConsoleOutput': {} }) },
  'remote-consoles': {
    get_vnc_console: {
      method: 'POST',
      path: '/remote-consoles',
      version: '2.6',
      body: { remote_console: { protocol: 'vnc', type: 'novnc' } },
    },
  },
  'server metadata write': {
    'update metadata': { method: 'POST', path: '/metadata', body: { metadata: { a: 'c' } } },
    'update metadata ': { method: 'PUT', path: '/metadata', body: { metadata: { a: 'd' } } },
    'update metadata  ': { method: 'PUT', path: '/metadata/a', body: { meta: { a: 'b' } } },
    'delete metadata': { method: 'DELETE', path: '/metadata/a' },
  },
  'server tags write': {
    'update tags': { method: 'PUT', path: '/tags', version: tags, body: { tags: ['a'] } },
    'update tag': { method: 'PUT', path: '/tags/b', version: tags },
    'delete tag': { method: 'DELETE', path: '/tags/b', version: tags },
    'delete tags': { method: 'DELETE', path: '/tags', version: tags },
  },
}
const ruleOf = (name: string) => {
  const [, , vmStates = '', tasks = '', launched = '', locked = ''] = rules.find(([action]) => action === name) ?? []
  return {
    vmStates: vmStates === 'any' ? null : vmStates.split(','),
    allowsTask: (task: string | null) =>
      tasks === 'any' ||
      (tasks.startsWith('any but ')
        ? !tasks
            .slice('any but '.length)
            .split(', ')
            .includes(task ?? '')
        : tasks.split(',').includes(task ?? 'none')),
    mustHaveLaunched: launched === 'yes',
    checksLock: locked === 'yes',
  }
}
const requests = Object.entries(actions).flatMap(([name, several]) =>
  Object.entries(several).map(([word, request]) => ({ name, word: word.trim(), request })),
)

/** The fake host is told to fail where a success would take the server away. */
const driver = () => cloud.cloud.drivers[0] as FakeDriver

async function send({ method, path, version, body }: Request, as: 'admin' | 'demo' = 'demo') {
  return await cloud.call(method, `${compute}/servers/${id}${path}`, { as, ...(version ? { version } : {}), ...(body ? { body } : {}) })
}
async function reset(): Promise<void> {
  await cloud.settle()
  server(whole)
}
/** Whether the answer depends on the guest too, which the row says nothing of here. */
const needsGuest = (name: string) => name === 'os-getConsoleOutput' || name === 'remote-consoles'
const refusal = ({ status, body }: TestAnswer) => [status, body?.conflictingRequest?.message]

describe.skipIf(states.length === 0)('every state', () => {
  const vmStates = [...new Set(states.map(({ vmState }) => vmState))]

  it('is in the table', () => {
    expect([vmStates.length, states.length]).toEqual([12, 516])
    expect(Object.keys(actions).filter((name) => !rules.some(([action]) => action === name))).toEqual([])
  })

  it.each(vmStates)('%s: shows its status', async (vmState) => {
    for (const { taskState, status } of states.filter((state) => state.vmState === vmState)) {
      server({ ...whole, vm_state: vmState, task_state: taskState })
      const shown = (await cloud.call('GET', `${compute}/servers/${id}`, { as: 'demo' })).body.server
      expect([taskState, shown.status]).toEqual([taskState, status])
    }
    server(whole)
  })

  it.each(vmStates)(
    '%s: lets pass what the table lets pass',
    async (vmState) => {
      driver().failNext('destroy', 'failed', 1000)
      for (const { taskState } of states.filter((state) => state.vmState === vmState)) {
        for (const { name, word, request } of requests) {
          const rule = ruleOf(name)
          server({ ...whole, vm_state: vmState, task_state: taskState })
          const answer = await send(request)
          const at = `${name} ${word} in ${vmState}, ${taskState}: ${answer.text}`
          const cannot = `Cannot '${word}' instance ${id} while it is in`
          if (rule.vmStates && !rule.vmStates.includes(vmState)) expect(refusal(answer), at).toEqual([409, `${cannot} vm_state ${vmState}`])
          else if (!rule.allowsTask(taskState)) expect(refusal(answer), at).toEqual([409, `${cannot} task_state ${taskState}`])
          else {
            if (needsGuest(name) && answer.status === 409) expect(refusal(answer), at).toEqual([409, `Instance ${id} is not ready`])
            else expect(answer.status, at).toBeLessThan(300)
            await reset()
            if (word === 'delete metadata') await send({ method: 'PUT', path: '/metadata', body: { metadata: { a: 'b' } } })
          }
        }
      }
    },
    60_000,
  )
})

describe.skipIf(rules.length === 0)('a lock', () => {
  const states = ['active', 'stopped', 'error', 'building', 'shelved_offloaded']
  it.each(requests.map(({ name, word, request }) => [name, word, request] as const))('%s (%s)', async (name, word, request) => {
    driver().failNext('destroy', 'failed', 100)
    for (const vmState of states) {
      server({ ...whole, vm_state: vmState, locked: 1 })
      const answer = await send(request)
      if (ruleOf(name).checksLock) expect(refusal(answer), vmState).toEqual([409, `Instance ${id} is locked`])
      else expect(answer.text, vmState).not.toContain('locked')
      await reset()
    }
    server({ ...whole, locked: 1 })
    expect((await send(request, 'admin')).text, word).not.toContain('locked')
    await reset()
    await send({ method: 'PUT', path: '/metadata', body: { metadata: { a: 'b' } } })
  })
})

describe.skipIf(rules.length === 0)('a server that has never run', () => {
  /** A vm_state in which the action would begin. */
  const startOf = (name: string) => ruleOf(name).vmStates?.[0] ?? 'active'

  it.each(requests.map(({ name, word, request }) => [name, word, request] as const))('%s (%s)', async (name, word, request) => {
    driver().failNext('destroy', 'failed', 1)
    server({ ...whole, vm_state: startOf(name), launched_at: null })
    const answer = await send(request)
    if (ruleOf(name).mustHaveLaunched) expect(refusal(answer)).toEqual([409, `Instance ${id} is in an invalid state for '${word}'`])
    else expect(answer.text).not.toContain('invalid state')
    await reset()
  })

  it.each(['os-start', 'os-stop', 'os-getConsoleOutput', 'remote-consoles'])('%s needs a host first', async (name) => {
    server({ ...whole, vm_state: 'building', task_state: 'scheduling', host: null, launched_at: null })
    const [request] = Object.values(actions[name] ?? {})
    expect(refusal(await send(request as Request))).toEqual([409, `Instance ${id} is not ready`])
    await reset()
  })

  it('cannot be paused while it is built', async () => {
    server({ ...whole, vm_state: 'building', task_state: 'scheduling', host: null, launched_at: null })
    expect(refusal(await send(act({ pause: null })))).toEqual([409, `Cannot 'pause' instance ${id} while it is in vm_state building`])
    await reset()
  })
})
