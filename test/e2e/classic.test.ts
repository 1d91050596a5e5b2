/**
 * A classic installation guide, step by step: its ports, its commands as they are printed, its nova.conf. The cloud and its client have
 * a network namespace of their own, in which `controller` is a name and all ports are free.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasOpenstack, type ServeProcess, serve } from '../support/process.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const namespace = `mcc${process.pid}`
/** `ip netns exec` lays the files in here over those of /etc. */
const etc = join('/etc/netns', namespace)
const missing = process.getuid?.() !== 0 || !hasOpenstack

/** The guide's, with its placeholders; what it says of MySQL, RabbitMQ and Keystone has no place here. */
const novaConf = `[DEFAULT]
enabled_apis = osapi_compute,metadata
transport_url = rabbit://openstack:RABBIT_PASS@controller:5672/
my_ip = 127.0.0.1
use_neutron = true
firewall_driver = nova.virt.firewall.NoopFirewallDriver

[api_database]
connection = mysql+pymysql://nova:NOVA_DBPASS@controller/nova_api

[database]
connection = mysql+pymysql://nova:NOVA_DBPASS@controller/nova

[api]
auth_strategy = keystone
classic_ports = true

[keystone_authtoken]
www_authenticate_uri = http://controller:5000/
auth_url = http://controller:5000/
memcached_servers = controller:11211
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = nova
password = NOVA_PASS

[vnc]
enabled = true
server_listen = $my_ip
server_proxyclient_address = $my_ip
novncproxy_base_url = http://controller:6080/vnc_auto.html

[glance]
api_servers = http://controller:9292

[oslo_concurrency]
lock_path = /var/lib/nova/tmp

[placement]
region_name = RegionOne
project_domain_name = Default
project_name = service
auth_type = password
user_domain_name = Default
auth_url = http://controller:5000/v3
username = placement
password = PLACEMENT_PASS

[bootstrap]
admin_password = ADMIN_PASS
`

/** The guide's admin-openrc. */
const adminOpenrc = {
  OS_PROJECT_DOMAIN_NAME: 'Default',
  OS_USER_DOMAIN_NAME: 'Default',
  OS_PROJECT_NAME: 'admin',
  OS_USERNAME: 'admin',
  OS_PASSWORD: 'ADMIN_PASS',
  OS_AUTH_URL: 'http://controller:5000/v3',
  OS_IDENTITY_API_VERSION: '3',
  OS_IMAGE_API_VERSION: '2',
}

let dir: string
let cloud: ServeProcess

type Ended = { code: number; out: string; err: string }

/** Runs a line of the guide in a shell. */
function sh(line: string): Promise<Ended> {
  const env = {
    PATH: `${join(root, 'bin')}:/usr/bin:/bin:/usr/sbin:/sbin`,
    HOME: dir,
    LANG: 'C.UTF-8',
    PYTHONWARNINGS: 'ignore',
    ...adminOpenrc,
    MINICLOUD_DATA_DIR: cloud.dataDir,
  }
  return new Promise((resolve) => {
    const child = execFile('ip', ['netns', 'exec', namespace, 'sh', '-c', line], { env, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
    child.stdin?.end()
  })
}

async function succeeds(line: string): Promise<string> {
  const { code, out, err } = await sh(line)
  expect([line, code, code === 0 ? '' : out + err]).toEqual([line, 0, ''])
  return out
}

/** Runs a command on a terminal of its own, and types the answer each time that it asks for a password. */
function onTerminal(command: string, answer: string): string {
  const python = `import os, pty, sys
def read(terminal):
    data = os.read(terminal, 4096)
    if b"assword:" in data:
        os.write(terminal, b"${answer}\\n")
    return data
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))`
  return `python3 -c '${python}' ${command}`
}

const json = async (line: string) => JSON.parse(await succeeds(`${line} -f json`))

beforeAll(async () => {
  if (missing) return
  dir = mkdtempSync(join(tmpdir(), 'minicloud-classic-'))
  mkdirSync(etc, { recursive: true })
  writeFileSync(join(etc, 'hosts'), '127.0.0.1 localhost controller\n')
  execFileSync('ip', ['netns', 'add', namespace])
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
  const conf = join(dir, 'nova.conf')
  writeFileSync(conf, novaConf)
  cloud = await serve({
    dataDir: join(dir, 'data'),
    command: ['ip', 'netns', 'exec', namespace, process.execPath, join(root, 'src/main.ts')],
    args: ['--config', conf],
  })
})

afterAll(async () => {
  if (missing) return
  await cloud?.[Symbol.asyncDispose]()
  execFileSync('ip', ['netns', 'del', namespace])
  rmSync(etc, { recursive: true, force: true })
  rmSync(dir, { recursive: true, force: true })
})

const classic = test.skipIf(missing && !process.env.CI)

classic("the guide's nova.conf starts, with one line for each option that is of no use", () => {
  const lines = cloud
    .log()
    .split('\n')
    .filter((line) => line.startsWith('warning: '))
  const said = (option: string) => lines.filter((line) => line.includes(`${option} is not used`))
  for (const option of [
    '[DEFAULT] transport_url',
    '[api_database] connection',
    '[database] connection',
    '[keystone_authtoken] auth_url',
    '[placement] auth_url',
    '[oslo_concurrency] lock_path',
    '[DEFAULT] use_neutron',
    '[DEFAULT] firewall_driver',
    '[DEFAULT] enabled_apis',
    '[api] auth_strategy',
    '[glance] api_servers',
  ])
    expect([option, said(option)]).toEqual([option, [expect.stringMatching(/ is not used by minicloud: \S/)]])
  expect(said('[database] connection')[0]).toContain('SQLite')
  expect(lines.join('\n')).not.toMatch(/no such option|_PASS|_DBPASS/)
})

classic('each service stands at the root of its port, with links under the address that was used', async () => {
  const urls = ['5000/v3/', '5000/', '8774/', '8774/v2.1/', '8778/', '8778/placement/', '9292/', '9696/', '9696/v2.0/']
  const out = await succeeds(urls.map((url) => `curl -s http://controller:${url}; echo`).join(';'))
  const documents = out
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
  expect(documents).toHaveLength(urls.length)
  for (const [index, document] of documents.entries())
    for (const [, port] of document.matchAll(/http:\/\/controller:(\d+)\//g))
      expect([urls[index], port]).toEqual([urls[index], urls[index]?.split('/')[0]])
  expect(documents[0]).toContain('http://controller:5000/v3/')
  expect(documents[2]).toContain('http://controller:8774/v2.1/')
  expect(await succeeds('curl -s -o /dev/null -w "%{http_code}" "http://controller:6080/vnc_lite.html?path=x"')).toBe('200')
  expect(await succeeds('curl -s http://controller:8775/')).toContain('latest')
})

classic('a port that is taken is named, with its service', async () => {
  const { code, err } = await sh(
    `MINICLOUD_API_CLASSIC_PORTS=true minicloud serve --driver fake --port 0 --data-dir ${join(dir, 'second')}`,
  )
  expect(code).toBe(1)
  expect(err).toMatch(/minicloud: cannot start: Cannot listen on 127\.0\.0\.1:5000: .*classic_ports.* identity\)\n$/)
})

classic("the guide's commands run as they are printed", async () => {
  await succeeds('openstack project create --domain default --description "Service Project" service')
  await succeeds(onTerminal('openstack user create --domain default --password-prompt nova', 'NOVA_PASS'))
  await succeeds('openstack role add --project service --user nova admin')
  await succeeds('openstack service create --name nova --description "OpenStack Compute" compute')
  for (const kind of ['public', 'internal', 'admin'])
    await succeeds(`openstack endpoint create --region RegionOne compute ${kind} http://controller:8774/v2.1`)

  await succeeds('nova-manage api_db sync')
  await succeeds('nova-manage cell_v2 map_cell0')
  expect(await succeeds('nova-manage cell_v2 create_cell --name=cell1 --verbose')).toMatch(/^[0-9a-f-]{36}\n$/)
  await succeeds('nova-manage db sync')
  expect(await succeeds('nova-manage cell_v2 list_cells')).toMatch(/\| cell0 \|.*\n\| cell1 \|/)
  expect(await succeeds('nova-manage cell_v2 discover_hosts --verbose')).toContain('Found 2 cell mappings.')
  await succeeds('nova-status upgrade check')

  expect(await json('openstack compute service list')).toContainEqual(expect.objectContaining({ Binary: 'nova-compute', State: 'up' }))
  const catalog = (await json('openstack catalog list')) as { Type: string; Endpoints: { interface: string; url: string }[] }[]
  const compute = catalog.filter(({ Type }) => Type === 'compute')
  expect(compute.map(({ Endpoints }) => Endpoints.map(({ url }) => url))).toEqual([Array(3).fill('http://controller:8774/v2.1')])
  // What the operator has not changed follows the address that the client used.
  expect(catalog.find(({ Type }) => Type === 'image')?.Endpoints[0]?.url).toBe('http://controller:5000/image')
  const made = await json('openstack server create --image tiny --flavor m1.nano --network private --wait one')
  expect(made.status).toBe('ACTIVE')
  const { url } = await json('openstack console url show one')
  expect(url).toMatch(/^http:\/\/controller:6080\/vnc_auto\.html\?path=websockify%3Ftoken%3D/)
  const socket = new URL(`/${new URL(url).searchParams.get('path')}`, url).href
  const upgrade =
    "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=='"
  const { out: answered } = await sh(
    `curl -s -o /dev/null -w '%{http_code}' --max-time 1 -H 'Origin: http://controller:6080' ${upgrade} '${socket}'`,
  )
  expect(answered).toBe('101')
  expect(await succeeds('OS_USERNAME=nova OS_PASSWORD=NOVA_PASS OS_PROJECT_NAME=service openstack token issue -f value -c id')).toMatch(
    /\S/,
  )
})

const many = 2000

classic('thousands of deleted rows are archived while servers come and go', async () => {
  const db = new Sqlite(join(cloud.dataDir, 'minicloud.db'), { timeout: 5000 })
  const add = db.prepare(
    "INSERT INTO instances (uuid, deleted, deleted_at, vm_state, host, launched_at) VALUES (?, 1, '2020-01-01 00:00:00.000000', 'deleted', 'x', '2020-01-01 00:00:00.000000')",
  )
  const fault = db.prepare("INSERT INTO instance_faults (deleted, instance_uuid, code, message) VALUES (0, ?, 500, 'x')")
  db.transaction(() => {
    for (let i = 0; i < many; i++) {
      const uuid = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`
      add.run(uuid)
      fault.run(uuid)
    }
  })()
  const archiving = sh('nova-manage db archive_deleted_rows --until-complete --verbose')
  const working = succeeds(
    'openstack server create --image tiny --flavor m1.nano --network private --wait two && openstack server delete --wait two',
  )
  const [{ code, out }] = await Promise.all([archiving, working])
  expect(code).toBe(1)
  expect(out).toMatch(new RegExp(`\\| instance_faults +\\| ${many} +\\|`))
  const count = (table: string) => db.prepare(`SELECT count(*) FROM ${table} WHERE host = 'x'`).pluck().get()
  expect([count('instances'), count('shadow_instances')]).toEqual([0, many])
  await succeeds('nova-manage db purge --all')
  expect(count('shadow_instances')).toBe(0)
  db.close()
  expect(cloud.log()).not.toMatch(/database is locked|"level":50/)
})
