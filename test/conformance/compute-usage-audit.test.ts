/** The audit of usage, which runs by itself where the option says so: its log over HTTP, and what it tells listeners. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { manualClock } from '../../src/base/clock.ts'
import { type CloudCall, startTestCloud, type TestCloud } from '../support/cloud.ts'
import { samplesIn, samplesMissing, shapeDifferences } from '../support/samples.ts'

type Told = { uuid: string; audit_period: { audit_period_beginning: string; audit_period_ending: string } }

const minute = 60_000
const clock = manualClock(Date.UTC(2031, 4, 17, 12, 30))
const told: Told[] = []
let cloud: TestCloud
let early: string
let late: string
const call = (method: string, path: string, options: CloudCall = {}) => cloud.call(method, `/compute/v2.1${path}`, options)
const log = async (before = '') =>
  (await call('GET', `/os-instance_usage_audit_log${before === '' ? '' : `/${encodeURIComponent(before)}`}`)).body
const pass = async (ms: number) => {
  for (let gone = 0; gone < ms; gone += minute / 2) {
    await clock.advance(minute / 2)
    await cloud.settle()
  }
}

beforeAll(async () => {
  const flags = {
    'fake.hosts': '2',
    'token.expiration': '864000',
    'DEFAULT.instance_usage_audit': 'true',
    'DEFAULT.instance_usage_audit_period': 'hour',
  }
  cloud = await startTestCloud({ flags, clock })
  cloud.cloud.ground.queue.subscribe('notification.instance.exists', ({ payload }) => void told.push(payload as Told))
  const image = (await cloud.call('GET', '/image/v2/images?name=tiny')).body.images[0].id
  const boot = async (name: string): Promise<string> => {
    const { server } = (await call('POST', '/servers', { body: { server: { name, imageRef: image, flavorRef: '42' } } })).body
    await cloud.settle()
    return server.id
  }
  early = await boot('early')
  await pass(40 * minute)
  late = await boot('late')
})
afterAll(() => cloud[Symbol.asyncDispose]())

describe('the audit of usage', () => {
  it('logs a line for each host, once', async () => {
    const { instance_usage_audit_logs: found } = await log()
    expect(found).toMatchObject({
      period_beginning: '2031-05-17 12:00:00',
      period_ending: '2031-05-17 13:00:00',
      num_hosts: 2,
      num_hosts_done: 2,
      num_hosts_not_run: 0,
      num_hosts_running: 0,
      hosts_not_run: [],
      total_instances: 1,
      total_errors: 0,
      overall_status: 'ALL hosts done. 0 errors.',
    })
    const lines = Object.values(found.log as Record<string, { state: string; instances: number; message: string }>)
    expect(lines.map(({ state, instances }) => [state, instances]).sort()).toEqual([
      ['DONE', 0],
      ['DONE', 1],
    ])
    expect(lines[0]?.message).toMatch(/ran for host \S+, \d instances in [\d.]+ seconds\.$/)
    await pass(3 * minute)
    expect(await log()).toEqual({ instance_usage_audit_logs: found })
  })

  it.skipIf(samplesMissing)('has the form of the samples', async () => {
    const of = (file: string) => samplesIn('os-instance-usage-audit-log').find((one) => one.file === file)?.document
    const at = async (before?: string) => {
      const body = (await log(before)) as Record<string, { log: Record<string, unknown> }>
      // Its keys are names of hosts.
      for (const found of Object.values(body))
        found.log = Object.fromEntries(
          Object.entries(found.log)
            .slice(0, 1)
            .map(([, line]) => ['host', line]),
        )
      return body
    }
    const sample = (file: string) => {
      const copy = structuredClone(of(file)) as Record<string, { log: Record<string, unknown> }>
      for (const found of Object.values(copy)) found.log = { host: Object.values(found.log)[0] }
      return copy
    }
    const compared = (file: string, body: unknown) => expect(shapeDifferences(sample(file), body)).toEqual([])
    compared('inst-usage-audit-log-index-get-resp.json', await at())
    compared('inst-usage-audit-log-show-get-resp.json', await at('2031-05-17 13:30:00'))
  })

  it('tells of each server that was there', async () => {
    expect(told).toMatchObject([
      { uuid: early, audit_period: { audit_period_beginning: '2031-05-17T12:00:00Z', audit_period_ending: '2031-05-17T13:00:00Z' } },
    ])
  })

  it('counts a server that left in the period, and not one that left before', async () => {
    await call('DELETE', `/servers/${early}`)
    await cloud.settle()
    told.length = 0
    await pass(55 * minute)
    expect((await log()).instance_usage_audit_logs).toMatchObject({ period_beginning: '2031-05-17 13:00:00', total_instances: 2 })
    expect(told.map(({ uuid }) => uuid).sort()).toEqual([early, late].sort())
    told.length = 0
    await pass(60 * minute)
    expect(told.map(({ uuid }) => uuid)).toEqual([late])
    expect((await log('2031-05-17 13:30:00')).instance_usage_audit_log.total_instances).toBe(1)
  })

  it('leaves out a host that is down, until it is up again', async () => {
    const [{ host, id }] = (await call('GET', '/os-services?binary=nova-compute', { version: '2.53' })).body.services
    const force = (forced_down: boolean) => call('PUT', `/os-services/${id}`, { version: '2.53', body: { forced_down } })
    await force(true)
    await pass(60 * minute)
    expect((await log()).instance_usage_audit_logs).toMatchObject({ num_hosts_done: 1, hosts_not_run: [host] })
    await force(false)
    await pass(2 * minute)
    expect((await log()).instance_usage_audit_logs).toMatchObject({ num_hosts_done: 2, hosts_not_run: [] })
  })
})
