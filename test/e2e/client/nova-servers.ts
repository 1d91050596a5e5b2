/** What `nova` does with one server, beside taking it through its life. A line is a command; no argument here has a space in it. */
import { expect, it } from 'vitest'
import type { Client, Clients } from '../../support/client.ts'

export const words = (line: string): string[] => line.split(' ')
const uuid = /[\da-f]{8}-[\da-f]{4}-[\da-f-]{22}/
export const uuidIn = (text: string): string => uuid.exec(text)?.[0] ?? ''

const volume = '11111111-1111-4111-8111-111111111111'
const boot = 'boot --image tiny --flavor m1.nano --nic net-name=private --poll'

/** Waits for the status of a server. */
export const becomes = (client: Client, server: string, status: string) =>
  expect.poll(async () => await client.text('show', server), { timeout: 20_000 }).toMatch(new RegExp(`\\| status +\\| ${status} +\\|`))

export function novaServerCommands(clients: () => Clients): void {
  it.each(['2.1', undefined])('at %s does the rest that one server knows', async (version) => {
    const nova = clients().nova({ version })
    const run = (line: string) => nova.text(...words(line))
    await run(`${boot} x`)
    for (const [line, status] of [
      ['rescue --password secret --image tiny x', 'RESCUE'],
      ['unrescue x', 'ACTIVE'],
      ['suspend x', 'SUSPENDED'],
      ['resume x', 'ACTIVE'],
    ] as const) {
      await run(line)
      await becomes(nova, 'x', status)
    }
    await run('lock x')
    expect(await run('show x')).toMatch(version === '2.1' ? /\| status/ : /\| locked +\| True/)
    await run('unlock x')
    await run('backup x b daily 1')
    await expect.poll(async () => await run('show x'), { timeout: 20_000 }).toMatch(/task_state +\| -/)
    await run('set-password x')
    await run('get-password x')
    await run('clear-password x')
    await run('meta x set colour=blue')
    expect(await run('show x')).toContain('"colour": "blue"')
    await run('meta x delete colour')
    expect(await nova.refused(...words('meta x delete colour'))).toContain('Metadata item was not found')
    expect(await run('list-secgroup x')).toContain('default')
    await run('remove-secgroup x default')
    await run('add-secgroup x default')
    const ports = async () => await run('interface-list x')
    const [first = '', network] = (await ports()).match(new RegExp(uuid, 'g')) ?? []
    await run(`interface-attach --net-id ${network} x`)
    await expect.poll(async () => (await ports()).match(/ACTIVE/g), { timeout: 20_000 }).toHaveLength(2)
    await run(`interface-detach x ${first}`)
    await expect.poll(ports, { timeout: 20_000 }).not.toContain(first)
    await run('refresh-network x')
    expect(await nova.refused(...words('reset-network x'))).toContain('410')
    const [request = ''] = /req-[\da-f-]{36}/.exec(await run('instance-action-list x')) ?? []
    expect(await run(`instance-action x ${request}`)).toMatch(/\| request_id +\| req-/)
    expect(await nova.refused(...words('shelve-offload x'))).toContain("Cannot 'shelveOffload'")
    expect(await nova.refused(...words('ssh x'))).toContain('No address')
    for (const type of ['get-spice-console x spice-html5', 'get-rdp-console x rdp-html5', 'get-serial-console x'])
      expect(await nova.refused(...words(type))).toContain('Unavailable console type')
    expect(await run('volume-attachments x')).toContain('VOLUME ID')
    for (const line of [`volume-attach x ${volume}`, `volume-detach x ${volume}`, `volume-update x ${volume} ${volume.replace(/1/g, '2')}`])
      expect(await nova.refused(...words(line)), line).toMatch(/HTTP 40[04]/)
    await run('update --name z x')
    await run('delete z')
    const id = uuidIn(await run('list --deleted --status SOFT_DELETED'))
    await run(`restore ${id}`)
    await becomes(nova, id, 'ACTIVE')
    await run(`force-delete ${id}`)
    await expect.poll(async () => await run('list'), { timeout: 20_000 }).not.toContain('ACTIVE')
  })

  it('at its newest has what 2.1 has not', async () => {
    const nova = clients().nova()
    const run = (line: string) => nova.text(...words(line))
    await run(`${boot} x`)
    expect(await nova.refused(...words('get-mks-console x'))).toContain('Unavailable console type webmks')
    expect(await run('server-topology x')).toMatch(/\| nodes +\| \[\]/)
    await run('trigger-crash-dump x')
    await run('server-tag-set x a b c')
    await run('server-tag-delete x a')
    expect(await run('server-tag-list x')).not.toMatch(/\| a /)
    await run('server-tag-delete-all x')
    expect(await run('server-tag-list x')).not.toMatch(/\| b /)
    await run('force-delete x')
    const old = clients().nova({ version: '2.1' })
    for (const command of ['server-topology', 'trigger-crash-dump', 'server-tag-list'])
      expect(await old.refused(command, 'x')).toContain(`argument <subcommand>: invalid choice: '${command}'`)
  })

  it('has key pairs and server groups', async () => {
    const [old, recent] = [clients().nova({ version: '2.1' }), clients().nova()]
    expect(await old.text('keypair-add', 'made')).toContain('PRIVATE KEY')
    expect(await recent.refused('keypair-add', 'made')).toContain('public_key')
    for (const client of [old, recent]) expect(await client.text('keypair-show', 'made')).toContain('ssh-rsa')
    await recent.text('keypair-delete', 'made')
    expect(await old.refused('keypair-show', 'made')).toContain('made')
    const group = uuidIn(await recent.text('server-group-create', 'g', 'anti-affinity', '--rule', 'max_server_per_host=2'))
    expect(await old.text('server-group-get', group)).toContain('anti-affinity')
    expect(await recent.text('server-group-get', group)).toContain('max_server_per_host')
    await old.text('server-group-delete', group)
  })
}
