/** Typed calls to a compute host over the queue. */
import type { Queue } from '../../base/queue/index.ts'
import { type ComputeCalls, computeTopic } from '../compute/index.ts'

/**
 * Calls a method of a host. Messages of one lane (an instance's uuid) are handled in order; without a lane a message
 * overtakes what runs.
 * @throws what the host threw, `unavailable` when nobody serves it.
 */
export async function askHost<M extends keyof ComputeCalls>(
  queue: Queue,
  host: string,
  method: M,
  args: ComputeCalls[M][0],
  lane?: string,
): Promise<ComputeCalls[M][1]> {
  return await queue.call<ComputeCalls[M][1]>(computeTopic(host), { method, args, ...(lane === undefined ? {} : { lane }) })
}

/** As {@link askHost}, on a lane; when the signal fires, the host is told to end what it does for the guest. @throws as {@link askHost}. */
export async function askCancellably<
  M extends 'spawn' | 'snapshot' | 'rescue' | 'resize' | 'depart' | 'arrive' | 'expectGuest' | 'sendGuest' | 'receiveGuest',
>(
  queue: Queue,
  host: string,
  method: M,
  args: ComputeCalls[M][0],
  { lane, signal }: { lane: string; signal: AbortSignal },
): Promise<ComputeCalls[M][1]> {
  const cancel = () => void askHost(queue, host, 'cancel', { uuid: lane }).catch(() => undefined)
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await askHost(queue, host, method, args, lane)
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

/** Rejects when the signal fires, whatever the work does. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
