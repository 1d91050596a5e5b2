import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bool, choice, configReference, float, int, list, loadConfig, many, sampleConfig, secret, section, text } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'minicloud-config-'))
let files = 0
function file(source: string): string {
  const path = join(folder, `${++files}.conf`)
  writeFileSync(path, source)
  return path
}

const main = section('DEFAULT', {
  myIp: text({ default: '127.0.0.1', doc: 'An address.' }),
  debug: bool({ default: false, doc: 'More lines.' }),
  aliases: many({ default: [], doc: 'Devices.' }),
})
const scheduler = section('scheduler', {
  maxAttempts: int({ default: 3, min: 1, max: 9, doc: 'Hosts tried.' }),
  ratio: float({ default: 1.5, doc: 'A ratio.' }),
  filters: list({ default: ['a', 'b'], doc: 'Filters | in order.' }),
  engine: choice(['kvm', 'qemu'], { default: 'kvm', doc: 'An engine.' }),
  password: secret({ default: '', doc: 'A password.' }),
})
const vnc = section('vnc', { listen: text({ default: '', doc: 'An address.' }), url: text({ default: '', doc: 'A URL.' }) })
const sections = [main, scheduler, vnc]
const load = (source: string, more: { env?: Record<string, string>; flags?: Record<string, string> } = {}) =>
  loadConfig(sections, { files: [file(source)], ...more })

describe('values', () => {
  it('come from the default, the file, the environment and the flags, the last one first', () => {
    const env = { MINICLOUD_SCHEDULER_MAX_ATTEMPTS: '6' }
    const flags = { 'scheduler.max_attempts': '7' }
    const of = (config: ReturnType<typeof load>) => config.get(scheduler).maxAttempts
    expect(of(load(''))).toBe(3)
    expect(of(load('[scheduler]\nmax_attempts = 5'))).toBe(5)
    expect(of(load('[scheduler]\nmax_attempts = 5', { env }))).toBe(6)
    expect(of(load('[scheduler]\nmax_attempts = 5', { env, flags }))).toBe(7)
  })

  it('of a later file win, and of a later line', () => {
    const first = file('[scheduler]\nmax_attempts = 4\nratio = 2')
    const second = file('[scheduler]\nmax_attempts = 5\nmax_attempts = 6')
    const config = loadConfig(sections, { files: [first, second] })
    expect(config.get(scheduler)).toMatchObject({ maxAttempts: 6, ratio: 2 })
  })

  it('are all kept where an option may be repeated', () => {
    expect(load('aliases = {"a": 1}\naliases = x,y\n').get(main).aliases).toEqual(['{"a": 1}', 'x,y'])
    const [one, two] = [file('aliases = 1'), file('aliases = 2\naliases = 3')]
    expect(loadConfig(sections, { files: [one, two] }).get(main).aliases).toEqual(['2', '3'])
  })

  it('of a list may go over several lines', () => {
    expect(load('[scheduler]\nfilters = One,\n  Two,\n  Three\n').get(scheduler).filters).toEqual(['One', 'Two', 'Three'])
    expect(load('[scheduler]\nfilters =\n').get(scheduler).filters).toEqual([])
  })

  it('may stand for those of other options', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the file's own
    const config = load('my_ip = 10.0.0.11\n[vnc]\nlisten = $my_ip\nurl = http://${my_ip}:${scheduler.max_attempts}/$$x/$nobody\n')
    expect(config.get(vnc)).toEqual({ listen: '10.0.0.11', url: 'http://10.0.0.11:3/$x/$nobody' })
    expect(load('my_ip = $my_ip').get(main).myIp).toContain('my_ip')
  })

  it.each(['1', 'true', 'True', 'YES', 'on', 't', 'y'])('%s is true', (word) => {
    expect(load(`debug = ${word}`).get(main).debug).toBe(true)
  })

  it.each([
    ['[scheduler]\nmax_attempts = 0', /max_attempts.*from 1 to 9/],
    ['[scheduler]\nmax_attempts = 1.5', /whole number/],
    ['[scheduler]\nmax_attempts = 0x5', /a number/],
    ['[scheduler]\nmax_attempts =', /a number/],
    ['[scheduler]\nratio = many', /a number/],
    ['[scheduler]\nengine = xen', /one of kvm, qemu, got "xen"/],
    ['debug = maybe', /true or false/],
    ['debug = constructor', /true or false/],
  ])('that cannot be used are refused, with file, section and option: %s', (source, message) => {
    expect(() => load(source)).toThrow(message)
    expect(() => load(source)).toThrow(folder)
  })

  it('are refused when the file cannot be read', () => {
    expect(() => loadConfig(sections, { files: [join(folder, 'none.conf')] })).toThrow(/cannot read .*none\.conf/)
  })

  it('are not to be had of a section that nobody declared', () => {
    expect(() => load('').get(section('other', {}))).toThrow(/\[other\]/)
  })
})

describe('what nobody declared', () => {
  it('is told once, by name and without its value', () => {
    const config = load('[neutron]\npassword = hunter2\npassword = hunter3\n[scheduler]\nmax_atempts = 5\nwhat is this\n', {
      flags: { 'scheduler.nothing': 'hunter4' },
    })
    expect(config.warnings).toHaveLength(4)
    expect(config.warnings.join('\n')).toMatch(/\[neutron\] password is not used/)
    expect(config.warnings.join('\n')).toMatch(/\[scheduler\] max_atempts is not used/)
    expect(config.warnings.join('\n')).toMatch(/line 6/)
    expect(config.warnings.join('\n')).toMatch(/command line: scheduler\.nothing/)
    expect(config.warnings.join('\n')).not.toMatch(/hunter/)
  })

  it("of an installation guide's nova.conf gives warnings only", () => {
    const config = load(`[DEFAULT]
enabled_apis = osapi_compute,metadata
transport_url = rabbit://openstack:RABBIT_PASS@controller:5672/
my_ip = 10.0.0.11
use_neutron = true
firewall_driver = nova.virt.firewall.NoopFirewallDriver
#log_dir = /var/log/nova

[api_database]
connection = mysql+pymysql://nova:NOVA_DBPASS@controller/nova_api

[keystone_authtoken]
www_authenticate_uri = http://controller:5000/
memcached_servers = controller:11211
password = NOVA_PASS

[oslo_messaging_rabbit]
heartbeat_in_pthread = False

[vnc]
enabled = true
listen = $my_ip

[pci]
passthrough_whitelist = [{"address": "0000:06:00.1"},
                         {"address": "0000:06:00.2"}]

[scheduler]
discover_hosts_in_cells_interval = 300
`)
    expect(config.get(vnc).listen).toBe('10.0.0.11')
    expect(config.warnings).toHaveLength(12)
    expect(config.warnings.join()).not.toMatch(/PASS/)
  })
})

describe('secrets', () => {
  it('are printed neither by errors, nor by the reference, nor by the sample', () => {
    const strict = section('s', { password: { ...secret({ default: 'hunter2', doc: 'A password.' }), parse: () => fail('hunter3') } })
    const fail = (words: string): never => {
      throw new Error(words)
    }
    expect(() => loadConfig([strict], { flags: { 's.password': 'hunter3' } })).toThrow(/cannot be used/)
    expect(() => loadConfig([strict], { flags: { 's.password': 'hunter3' } })).not.toThrow(/hunter/)
    expect(configReference([strict]) + sampleConfig([strict])).not.toMatch(/hunter/)
  })
})

describe('the reference', () => {
  it('shows each option with its environment name and keeps its table whole', () => {
    const text = configReference(sections)
    expect(text).toContain('`MINICLOUD_SCHEDULER_MAX_ATTEMPTS`')
    expect(text).toContain('`MINICLOUD_MY_IP`')
    expect(text).toContain('kvm \\| qemu')
    for (const line of text.split('\n').filter((row) => row.startsWith('|'))) expect(line.match(/(?<!\\)\|/g)).toHaveLength(6)
  })

  it("'s sample changes nothing, also with its comments taken away", () => {
    const sample = sampleConfig(sections)
    expect(load(sample).get(scheduler)).toEqual(load('').get(scheduler))
    const live = load(sample.replaceAll(/^#(\w+ = )/gm, '$1'))
    expect(live.get(scheduler)).toEqual(load('').get(scheduler))
    expect(live.warnings).toEqual([])
  })
})
