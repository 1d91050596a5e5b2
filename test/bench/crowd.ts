/** Fills a stopped cloud's database with servers that look like a given one, through the compute service's own noun. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { Database } from '../../src/base/db/index.ts'
import { Instances } from '../../src/nova/model/index.ts'

/** A host that no driver looks after, so that nothing looks for guests behind these rows. */
const elsewhere = 'elsewhere'

/** @throws {CloudError} when the cloud still runs, or has no such server. */
export function addServers(dataDir: string, like: string, count: number): void {
  using db = new Database({ file: join(dataDir, 'minicloud.db'), synchronous: 'OFF' })
  const clock = systemClock()
  const instances = new Instances({ db, clock })
  const template = instances.get(like)
  const systemMetadata = instances.systemMetadata(like)
  db.transaction(() => {
    for (let i = 0; i < count; i++) {
      const uuid = randomUUID()
      const name = `crowd-${i}`
      instances.insert({ ...template, uuid, name, hostname: name, imageId: template.imageId ?? '', keyType: null, systemMetadata })
      instances.update(uuid, {
        vm_state: 'active',
        task_state: null,
        power_state: 1,
        host: elsewhere,
        node: elsewhere,
        availability_zone: template.availabilityZone,
        launched_at: clock.text(),
      })
      instances.setPorts(uuid, template.ports)
    }
  })
}
