/**
 * The queue between the processes of a cloud: topics per host, `cast` and `call`, and published events.
 *
 * The queue carries and forgets; what must survive a crash is in a saga's log. Messages of one lane (an instance's
 * uuid) are handled one after the other in the order they came; lanes run side by side. A topic with too much waiting
 * refuses more (`unavailable`), so that a flood is felt where it starts.
 *
 * @see https://docs.openstack.org/oslo.messaging/latest/reference/rpcclient.html
 */

import { messageOf, unavailable } from '../errors.ts'
import type { Log } from '../log.ts'

export type Message = { method: string; args: unknown; lane?: string }
export type Handler = (message: Message) => Promise<unknown> | unknown
export type Event = { type: string; payload: unknown }
export type Listener = (event: Event) => void

/** What any transport offers: in process here, AMQP for further hosts. */
export type Queue = {
  /** Serves a topic such as `compute.host1`; returns the call that ends it. @throws {Error} when it is served already. */
  serve(topic: string, handler: Handler): () => void
  /** Hands over and does not wait. @throws {CloudError} `unavailable` when nobody serves the topic or it is full. */
  cast(topic: string, message: Message): void
  /** Hands over and waits for the answer; rejects with what the handler threw, or `unavailable` as for cast. */
  call<T>(topic: string, message: Message): Promise<T>
  /** Tells all listeners; a listener that throws is logged and stops nobody. */
  publish(event: Event): void
  /** Listens to events whose type is `prefix` or begins with `prefix.`; returns the call that ends it. */
  subscribe(prefix: string, listener: Listener): () => void
  /** Resolves when nothing waits or runs. */
  settled(): Promise<void>
}

type Topic = { handler: Handler; lanes: Map<string, Promise<unknown>>; waiting: number }

/** The queue of a cloud in one process; `limit` is how many messages of a topic may wait or run. */
export class InProcessQueue implements Queue {
  readonly #topics = new Map<string, Topic>()
  readonly #listeners = new Set<{ prefix: string; listener: Listener }>()
  readonly #running = new Set<Promise<unknown>>()
  readonly #log: Log
  readonly #limit: number

  constructor({ log, limit = 10_000 }: { log: Log; limit?: number }) {
    this.#log = log
    this.#limit = limit
  }

  serve(topic: string, handler: Handler): () => void {
    if (this.#topics.has(topic)) throw new Error(`topic ${topic} is served already`)
    const served: Topic = { handler, lanes: new Map(), waiting: 0 }
    this.#topics.set(topic, served)
    return () => {
      if (this.#topics.get(topic) === served) this.#topics.delete(topic)
    }
  }

  cast(topic: string, message: Message): void {
    this.#enqueue(topic, message).catch((error: unknown) => {
      this.#log.error({ topic, method: message.method, err: error }, 'message failed')
    })
  }

  async call<T>(topic: string, message: Message): Promise<T> {
    return (await this.#enqueue(topic, message)) as T
  }

  publish(event: Event): void {
    for (const { prefix, listener } of [...this.#listeners]) {
      if (event.type !== prefix && !event.type.startsWith(`${prefix}.`)) continue
      try {
        listener(event)
      } catch (error) {
        this.#log.error({ type: event.type, err: error }, `listener failed: ${messageOf(error)}`)
      }
    }
  }

  subscribe(prefix: string, listener: Listener): () => void {
    const entry = { prefix, listener }
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running])
  }

  #enqueue(name: string, message: Message): Promise<unknown> {
    const topic = this.#topics.get(name)
    if (!topic) throw unavailable(`Nobody serves ${name}.`)
    if (topic.waiting >= this.#limit) throw unavailable(`${name} has ${topic.waiting} messages waiting; try again later.`)
    topic.waiting += 1
    const before = message.lane === undefined ? undefined : topic.lanes.get(message.lane)
    const work = (async () => {
      await before?.catch(() => undefined)
      return await topic.handler(message)
    })()
    if (message.lane !== undefined) topic.lanes.set(message.lane, work)
    this.#running.add(work)
    const done = () => {
      topic.waiting -= 1
      this.#running.delete(work)
      if (message.lane !== undefined && topic.lanes.get(message.lane) === work) topic.lanes.delete(message.lane)
    }
    work.then(done, done)
    return work
  }
}
