/** Servers that get another size or host with `openstack`. */
import { expect, it } from 'vitest'
import { column, type Desk } from './desk.ts'

export function moveCommands(desk: () => Desk): void {
  const shown = async () => {
    const server = await desk().old.json('server', 'show', 'mover')
    return { status: server.status, host: server['OS-EXT-SRV-ATTR:host'], flavor: server.flavor }
  }
  const active = async () => {
    await expect.poll(async () => (await shown()).status, { timeout: 20_000 }).toBe('ACTIVE')
    return await shown()
  }

  it('server resize', async () => {
    const { old, recent } = desk()
    await recent.json(
      'server',
      'create',
      '--image',
      'tiny',
      '--flavor',
      'm1.nano',
      '--network',
      'private',
      '--host',
      'host1',
      '--wait',
      'mover',
    )
    await old.text('server', 'resize', '--flavor', 'm1.micro', '--wait', 'mover')
    expect(await shown()).toMatchObject({ status: 'VERIFY_RESIZE' })
    await old.text('server', 'resize', 'confirm', 'mover')
    expect((await active()).flavor).toContain('m1.micro')
    await recent.text('server', 'resize', '--flavor', 'm1.nano', '--wait', 'mover')
    await recent.text('server', 'resize', 'revert', 'mover')
    expect((await active()).flavor).toContain('m1.micro')
    expect(await old.refused('server', 'resize', '--flavor', 'moon', 'mover')).toContain('moon')
  })

  it('server migrate', async () => {
    const { old, recent } = desk()
    const { host } = await shown()
    await old.text('server', 'migrate', '--wait', 'mover')
    const moved = await shown()
    expect(moved.status).toBe('VERIFY_RESIZE')
    expect(moved.host).not.toBe(host)
    await old.text('server', 'migrate', 'confirm', 'mover')
    expect((await active()).host).toBe(moved.host)
    const target = host === 'host1-3' ? 'host1-2' : 'host1-3'
    if (moved.host !== target) {
      await recent.text('server', 'migrate', '--host', target, '--wait', 'mover')
      expect((await shown()).host).toBe(target)
      await recent.text('server', 'migration', 'revert', 'mover')
      expect((await active()).host).toBe(moved.host)
    } else {
      await recent.text('server', 'migrate', '--wait', 'mover')
      await recent.text('server', 'migration', 'revert', 'mover')
      expect((await active()).host).toBe(moved.host)
    }
    await recent.text('server', 'migrate', '--wait', 'mover')
    await recent.text('server', 'migration', 'confirm', 'mover')
    await active()
    await old.text('server', 'migrate', '--wait', 'mover')
    await old.text('server', 'migrate', 'revert', 'mover')
    await active()
    expect(await old.refused('server', 'migrate', '--host', 'host1', 'mover')).toContain('2.56')
    expect(await recent.refused('server', 'migration', 'confirm', 'mover')).toContain("Cannot 'confirmResize'")
  })

  it('server migrate --live-migration, shown, aborted and forced to its end', async () => {
    const { old, recent } = desk()
    const { host } = await shown()
    const running = async () => await recent.json('server', 'migration', 'list', '--server', 'mover', '--status', 'running')
    const under = async (): Promise<string> => {
      await expect.poll(running, { timeout: 20_000 }).toHaveLength(1)
      return String((await running())[0].Id)
    }
    await old.text('server', 'migrate', '--live-migration', '--block-migration', '--disk-overcommit', 'mover')
    const first = await under()
    expect(await recent.json('server', 'migration', 'show', 'mover', first)).toMatchObject({
      Status: 'running',
      'Source Compute': host,
      'Memory Total Bytes': expect.any(Number),
    })
    await recent.text('server', 'migration', 'abort', 'mover', first)
    expect((await active()).host).toBe(host)
    const target = host === 'host1' ? 'host1-2' : 'host1'
    await recent.text('server', 'migrate', '--live-migration', '--host', target, 'mover')
    await recent.text('server', 'migration', 'force', 'complete', 'mover', await under())
    await expect.poll(async () => (await active()).host, { timeout: 20_000 }).toBe(target)
    expect(await recent.refused('server', 'migration', 'show', 'mover', first)).toContain('HTTP 404')
    expect(await recent.refused('server', 'migration', 'abort', 'mover', first)).toContain('HTTP 409')
    expect(await old.refused('server', 'migration', 'abort', 'mover', first)).toContain('2.24')
    expect(await old.refused('server', 'migration', 'force', 'complete', 'mover', first)).toContain('2.22')
  })

  it('server migration list', async () => {
    const { old, recent } = desk()
    const all = await old.json('server', 'migration', 'list')
    expect(column(all, 'Status')).toEqual(expect.arrayContaining(['confirmed', 'reverted', 'completed', 'cancelled']))
    expect(all[0]).not.toHaveProperty('UUID')
    const chosen = ['--server', 'mover', '--type', 'live-migration', '--status', 'completed', '--user', 'admin', '--project', 'admin']
    expect(await recent.json('server', 'migration', 'list', ...chosen, '--limit', '1')).toEqual([
      expect.objectContaining({ Type: 'live-migration', Status: 'completed', UUID: expect.any(String), Project: expect.any(String) }),
    ])
    expect(await recent.json('server', 'migration', 'list', '--changes-before', '2020-01-01T00:00:00Z')).toEqual([])
    expect(await recent.json('server', 'migration', 'list', '--type', 'resize', '--host', 'moon')).toEqual([])
    expect(await old.refused('server', 'migration', 'list', '--limit', '1')).toContain('2.59')
  })

  it('server evacuate', async () => {
    const { old, recent } = desk()
    const { host } = await shown()
    expect(await old.refused('server', 'evacuate', 'mover')).toContain('still in use')
    await recent.text('compute', 'service', 'set', '--down', host, 'nova-compute')
    // The client asks, and then fails to print: the answer is no server, as it believes.
    expect(await recent.refused('server', 'evacuate', 'mover')).toContain("no attribute 'to_dict'")
    await expect.poll(async () => (await shown()).host, { timeout: 20_000 }).not.toBe(host)
    await active()
    await recent.text('compute', 'service', 'set', '--up', host, 'nova-compute')
    await old.text('server', 'delete', '--force', '--wait', 'mover')
    expect(await old.json('server', 'list')).toEqual([])
  })
}
