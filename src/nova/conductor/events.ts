/**
 * Events of instance actions: each tells of one piece of work, on which host it was done, from when to when, and how it ended.
 * Who reads an action while it goes on sees the event that has begun.
 *
 * @see https://docs.openstack.org/api-ref/compute/#show-server-action-details
 */
import { Shutdown } from '../../base/saga/index.ts'
import type { ConductorDeps } from './deps.ts'
import { failureOf } from './faults.ts'

type Context = { readonly input: { readonly uuid: string }; readonly requestId: string | null; readonly signal?: AbortSignal }

export type EventOptions = {
  /** Its end is that of a later step's work, which goes on with it; what fails ends it at once. */
  staysOpen?: boolean
}

/**
 * Does a piece of work inside an event of the request's action. What a shutdown cuts off leaves its event open, and goes on with it
 * after the next start.
 * @throws what the work throws.
 */
export async function inEvent<T>(
  { model: { actions } }: Pick<ConductorDeps, 'model'>,
  { input: { uuid }, requestId, signal }: Context,
  name: string,
  host: string | null,
  work: () => Promise<T> | T,
  { staysOpen = false }: EventOptions = {},
): Promise<T> {
  const event = requestId === null ? null : actions.openEvent(uuid, requestId, name, host)
  if (event === null) return await work()
  try {
    const result = await work()
    if (!staysOpen) actions.closeEvent(event)
    return result
  } catch (error) {
    if (!(signal?.reason instanceof Shutdown)) {
      const failure = error instanceof Error ? error : new Error(String(error))
      actions.closeEvent(event, { traceback: failure.stack ?? null, details: failureOf(failure).details })
    }
    throw error
  }
}

/** A step's run that is an event as a whole, on the host of the saga's input; where there is no host it is none. */
export const eventOf =
  <C extends Context & { readonly input: { readonly host: string | null } }, T>(
    name: string | ((input: C['input']) => string),
    run: (context: C, deps: ConductorDeps) => Promise<T>,
    options?: EventOptions,
  ) =>
  (context: C, deps: ConductorDeps): Promise<T> => {
    const { input } = context
    if (input.host === null) return run(context, deps)
    return inEvent(deps, context, typeof name === 'string' ? name : name(input), input.host, () => run(context, deps), options)
  }
