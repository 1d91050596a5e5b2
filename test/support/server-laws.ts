/** Sagas on servers under the laws: a world with one server, and what must be true of it afterwards. */
import type { ConductorDeps } from '../../src/nova/conductor/index.ts'
import type { Instance } from '../../src/nova/model/index.ts'
import { type TestCompute, type TestComputeOptions, testCompute } from './compute.ts'
import type { SagaWorld } from './saga-laws.ts'

export type ServerCase<Input> = {
  options?: TestComputeOptions
  prepare: (cloud: TestCompute) => Promise<{ uuid: string; input: Input }>
  done: (cloud: TestCompute, instance: Instance) => void | Promise<void>
  undone: (cloud: TestCompute, instance: Instance) => void | Promise<void>
}

export async function serverWorld<Input>({ options, prepare, done, undone }: ServerCase<Input>): Promise<SagaWorld<Input, ConductorDeps>> {
  const cloud = await testCompute(options)
  const { uuid, input } = await prepare(cloud)
  const now = () => cloud.deps.model.instances.get(uuid, null, { deleted: true })
  return {
    db: cloud.deps.db,
    clock: cloud.deps.clock,
    deps: cloud.deps,
    key: uuid,
    input,
    expectDone: () => done(cloud, now()),
    expectUndone: () => undone(cloud, now()),
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
  }
}
