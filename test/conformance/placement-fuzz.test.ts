/** Whatever a client sends, Placement answers it or refuses it in words: never with 500. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { blue, nobody, one, owner, server, stockedPlacement, two } from '../support/placement.ts'

const scalar = fc.constantFrom(null, 0, 1, -1, 1.5, 2 ** 40, '', 'x', 'VCPU', 'CUSTOM_A', one, blue, true)
const value = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('any'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(
    fc.constantFrom(
      ...['name', 'uuid', 'parent_provider_uuid', 'inventories', 'resource_provider_generation', 'total', 'reserved', 'resource_class'],
      ...[
        'allocations',
        'resources',
        'traits',
        'aggregates',
        'consumer_generation',
        'consumer_type',
        'mappings',
        '__proto__',
        'constructor',
      ],
      ...['VCPU', 'CUSTOM_A', one, nobody, server],
    ),
    tie('any'),
    { maxKeys: 4 },
  ),
})).any
/** Nearly right: the shapes that pass the schemas. */
const amounts = fc.dictionary(fc.constantFrom('VCPU', 'MEMORY_MB', 'DISK_GB', 'CUSTOM_A'), fc.integer({ min: 0, max: 2 ** 31 }), {
  maxKeys: 2,
})
const claim = fc.record({
  allocations: fc.dictionary(fc.constantFrom(one, two, nobody), fc.record({ resources: amounts }), { maxKeys: 2 }),
  consumer_generation: fc.constantFrom(null, 0, 1),
  project_id: fc.constant(owner.project_id),
  user_id: fc.constant(owner.user_id),
})
const shape = fc.record({
  resource_provider_generation: fc.integer({ min: 0, max: 3 }),
  inventories: fc.dictionary(fc.constantFrom('VCPU', 'DISK_GB', 'CUSTOM_A'), fc.record({ total: fc.integer({ min: 0, max: 9 }) }), {
    maxKeys: 2,
  }),
})
const body = fc.oneof(
  value,
  claim,
  shape,
  fc.dictionary(fc.constantFrom(server, nobody), claim, { minKeys: 1, maxKeys: 2 }),
  fc.record({
    inventories: fc.dictionary(fc.constantFrom(one, two), shape, { maxKeys: 2 }),
    allocations: fc.dictionary(fc.constantFrom(server), claim),
  }),
)
const path = fc.constantFrom(
  ...[
    '/resource_providers',
    `/resource_providers/${one}`,
    `/resource_providers/${nobody}`,
    '/resource_providers/%00x',
    '/traits',
    '/traits/CUSTOM_A',
  ],
  ...['/resource_classes', '/resource_classes/CUSTOM_A', `/allocations/${server}`, '/allocations/x', '/allocations', '/reshaper'],
  ...['inventories', 'inventories/VCPU', 'aggregates', 'traits', 'usages', 'allocations'].map(
    (below) => `/resource_providers/${one}/${below}`,
  ),
)
const write = fc.record({ method: fc.constantFrom('POST', 'PUT', 'DELETE'), path, body })
const word = fc.constantFrom(
  'VCPU:1',
  'VCPU:9',
  'in:',
  '!',
  ',',
  'CUSTOM_A',
  'HW_NUMA_ROOT',
  'in:HW_NUMA_ROOT',
  blue,
  `in:${blue}`,
  one,
  '1',
  'none',
  'true',
  '_A',
  '%00',
  '%',
)
const read = fc.record({
  path: fc.constantFrom('/resource_providers', '/allocation_candidates', '/usages', '/traits'),
  query: fc.array(
    fc.tuple(
      fc.constantFrom(
        'resources',
        'resources1',
        'resources_A',
        'required',
        'required_A',
        'member_of',
        'in_tree',
        'limit',
        'group_policy',
        'same_subtree',
        'name',
        'uuid',
        'project_id',
        'associated',
        'root_required',
      ),
      fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join('')),
    ),
    { maxLength: 4 },
  ),
})
const at = fc.constantFrom('1.0', '1.5', '1.12', '1.13', '1.20', '1.28', '1.30', '1.33', '1.36', '1.38', '1.39')

it('refuses nonsense in bodies', async () => {
  const { api } = await stockedPlacement()
  await fc.assert(
    fc.asyncProperty(write, at, async (call, version) => {
      const headers = { 'openstack-api-version': `placement ${version}` }
      const answer = await api.call(call.method, call.path, { headers, ...(call.method === 'DELETE' ? {} : { body: call.body }) })
      expect(answer.status, JSON.stringify({ call, version, answer: answer.body })).toBeLessThan(500)
    }),
    { numRuns: 1500 },
  )
})

it('refuses nonsense in queries', async () => {
  const { api } = await stockedPlacement()
  await fc.assert(
    fc.asyncProperty(read, at, async ({ path: to, query }, version) => {
      const text = query.map(([name, word]) => `${name}=${word}`).join('&')
      const answer = await api.call('GET', `${to}?${text}`, { headers: { 'openstack-api-version': `placement ${version}` } })
      expect(answer.status, JSON.stringify({ text, version, answer: answer.body })).toBeLessThan(500)
    }),
    { numRuns: 1500 },
  )
})
