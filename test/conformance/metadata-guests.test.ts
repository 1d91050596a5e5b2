/** Who asks at 169.254.169.254 and at the classic port, and what those get who mean harm; over real sockets. */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askAt, startMetadata } from '../support/metadata.ts'

describe('identity', () => {
  it('knows nobody at an unknown address, and no server that was deleted', async () => {
    const { guest, owners, model, ground } = startMetadata()
    const { ask, instance, networkId } = await guest()
    expect((await ask('/openstack')).status).toBe(200)
    ground.db.transaction(() => model.instances.remove(instance.uuid))
    expect((await ask('/openstack/latest/meta_data.json')).status).toBe(404)
    owners.delete(networkId)
    expect(await ask('/openstack')).toMatchObject({ status: 404, text: '404 Not Found\n\nNo server has this address.\n' })
  })

  it('tells two networks of the same addresses apart, whatever headers say', async () => {
    const { guest } = startMetadata({ flags: { 'neutron.service_metadata_proxy': 'true', 'neutron.metadata_proxy_shared_secret': 's' } })
    const one = await guest({ projectId: 'project-a' })
    const two = await guest({ projectId: 'project-b' })
    const signature = createHmac('sha256', 's').update(two.instance.uuid).digest('hex')
    const forged = {
      'x-forwarded-for': '10.9.9.9',
      'x-instance-id': two.instance.uuid,
      'x-tenant-id': 'project-b',
      'x-instance-id-signature': signature,
      'x-metadata-provider': two.networkId,
      'x-metadata-provider-signature': createHmac('sha256', 's').update(two.networkId).digest('hex'),
    }
    const uuidOf = async ({ ask }: typeof one) => JSON.parse((await ask('/openstack/latest/meta_data.json', { headers: forged })).text).uuid
    expect([await uuidOf(one), await uuidOf(two)]).toEqual([one.instance.uuid, two.instance.uuid])
  })

  it('lets an open connection not follow its address to another port', async () => {
    const { guest, own, boot } = startMetadata()
    const { port, networkId } = await guest()
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', (chunk) => {
      seen += chunk
    })
    const say = async (answers: number) => {
      socket.write('GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: x\r\n\r\n')
      await expect.poll(() => seen.match(/HTTP\/1.1 \d+/g)?.length).toBe(answers)
    }
    await say(1)
    own(networkId, boot({ projectId: 'project-b' }))
    await say(2)
    socket.destroy()
    expect(seen.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404'])
  })

  it('serves connections that come paused', async () => {
    const { boot, own, openNetwork } = startMetadata()
    own('n', boot())
    expect((await askAt(await openNetwork('n', { paused: true }), '/openstack')).status).toBe(200)
  })
})

describe('the classic port', () => {
  const sign = (text: string, secret = 'hush') => createHmac('sha256', secret).update(text).digest('hex')
  const proxied = { 'neutron.service_metadata_proxy': 'true', 'neutron.metadata_proxy_shared_secret': 'hush' }

  it('believes a network proxy that signs', async () => {
    const { boot, metadata } = startMetadata({ flags: proxied })
    const instance = boot({}, [])
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const good = {
      'X-Instance-ID': instance.uuid,
      'X-Tenant-ID': 'project-a',
      'X-Instance-ID-Signature': sign(instance.uuid),
      'X-Forwarded-For': '10.3.3.3',
    }
    const status = async (headers: Record<string, string | string[] | undefined>) =>
      (await askAt(port, '/openstack', { headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) }))
        .status
    expect(await status(good)).toBe(200)
    expect((await askAt(port, '/latest/meta-data/local-ipv4', { headers: good })).text).toBe('10.3.3.3')
    for (const name of ['X-Instance-ID', 'X-Tenant-ID', 'X-Instance-ID-Signature'])
      expect([name, await status({ ...good, [name]: undefined })]).toEqual([name, 400])
    expect(await status({ ...good, 'X-Instance-ID': [instance.uuid, instance.uuid] })).toBe(400)
    expect(await status({ ...good, 'X-Instance-ID-Signature': sign(instance.uuid, 'guess') })).toBe(403)
    expect(await status({ ...good, 'X-Tenant-ID': 'project-b' })).toBe(404)
    expect(await status({ ...good, 'X-Instance-ID': 'none', 'X-Instance-ID-Signature': sign('none') })).toBe(404)
    expect((await askAt(port, '/')).status).toBe(200)
  })

  it('believes a load balancer that signs for its network', async () => {
    const { boot, own, metadata } = startMetadata({ flags: proxied })
    const instance = boot()
    own('net-1', instance)
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const good = {
      'X-Metadata-Provider': 'net-1',
      'X-Metadata-Provider-Signature': sign('net-1'),
      'X-Forwarded-For': '127.0.0.1, 10.0.0.1',
    }
    const answer = await askAt(port, '/openstack/latest/meta_data.json', { headers: good })
    expect(JSON.parse(answer.text).uuid).toBe(instance.uuid)
    expect((await askAt(port, '/openstack', { headers: { ...good, 'X-Metadata-Provider-Signature': 'no' } })).status).toBe(403)
    expect((await askAt(port, '/openstack', { headers: { ...good, 'X-Forwarded-For': '10.0.0.1' } })).status).toBe(400)
  })

  it('believes nobody without a secret', async () => {
    const { boot, metadata } = startMetadata({ flags: { 'neutron.service_metadata_proxy': 'true' } })
    const { uuid } = boot()
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    const headers = { 'X-Instance-ID': uuid, 'X-Tenant-ID': 'project-a', 'X-Instance-ID-Signature': sign(uuid, '') }
    expect((await askAt(port, '/openstack', { headers })).status).toBe(403)
  })

  it('knows peers by their address when there is no proxy, if only one port has it', async () => {
    const { boot, own, metadata } = startMetadata()
    const { port } = await metadata.listen({ host: '127.0.0.1', port: 0 })
    expect((await askAt(port, '/openstack')).status).toBe(404)
    own('one', boot())
    expect((await askAt(port, '/openstack')).status).toBe(200)
    own('two', boot())
    expect((await askAt(port, '/openstack')).status).toBe(404)
  })
})

describe('hostile guests', () => {
  it('get no 5xx and nothing of their neighbours, whatever path and headers they send', async () => {
    const { guest } = startMetadata({ flags: { 'api.metadata_cache_expiration': '0' } })
    const secret = 'neighbours-secret'
    await guest({
      projectId: 'project-b',
      userData: Buffer.from(secret).toString('base64'),
      metadata: { secret },
      keyName: secret,
      keyData: secret,
      name: secret,
    })
    const { ask } = await guest({
      keyName: 'my key',
      keyData: 'ssh-ed25519 AAAA me',
      userData: Buffer.from('#cloud-config').toString('base64'),
      metadata: { role: 'web' },
    })
    const word = fc.oneof(
      fc.constantFrom(
        'openstack',
        'ec2',
        'latest',
        '2009-04-04',
        '2018-08-27',
        'meta-data',
        'public-keys',
        '0',
        '_name',
        'content',
        'password',
        '..',
        '.',
        '',
        '__proto__',
        'constructor',
        'length',
        '%2e%2e',
        '%',
        '%ff',
        '%00',
        '*',
      ),
      fc.webSegment(),
    )
    const name = fc.constantFrom('x-forwarded-for', 'x-instance-id', 'x-real-ip', 'forwarded', 'host', 'expect', 'upgrade', 'content-type')
    const value = fc.stringMatching(/^[\x21-\x7e]{0,40}$/)
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 7 }), fc.dictionary(name, value, { maxKeys: 3 }), async (words, headers) => {
        const answer = await ask(`/${words.join('/')}`, { headers: headers.expect === undefined ? headers : { ...headers, expect: 'x' } })
        expect(answer.status).toBeLessThan(500)
        expect(answer.text).not.toContain(secret)
      }),
      { numRuns: 150 },
    )
  })

  it('get short shrift for large headers, large bodies and what is no HTTP', async () => {
    const { guest } = startMetadata()
    const { ask, port } = await guest()
    expect((await ask('/openstack', { headers: { 'x-long': 'a'.repeat(20_000) } })).status).toBe(431)
    expect((await ask('/openstack', { method: 'POST', body: 'a'.repeat(64 * 1024 + 1) })).status).toBe(413)
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', (chunk) => {
      seen += chunk
    })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('\x16\x03\x01 no http\r\n\r\n')
    await closed
    expect(seen).toMatch(/^HTTP\/1.1 400 /)
  })

  /** A connection by hand: what came back, and whether it is closed. */
  const dial = (port: number) => {
    const line = { seen: '', isClosed: false, socket: connect(port, '127.0.0.1') }
    line.socket.on('error', () => line.socket.destroy())
    line.socket.on('close', () => {
      line.isClosed = true
    })
    line.socket.on('data', (chunk) => {
      line.seen += chunk
    })
    return line
  }
  const answersOf = ({ seen }: { seen: string }) => seen.match(/HTTP\/1.1 \d+/g) ?? []

  it('keep a connection for as long as they use it', async () => {
    const { guest, clock } = startMetadata()
    const { port } = await guest()
    const line = dial(port)
    for (const count of [1, 2, 3]) {
      line.socket.write('GET /openstack HTTP/1.1\r\nHost: x\r\n\r\n')
      await expect.poll(() => answersOf(line).length).toBe(count)
      await clock.advance('14 s')
    }
    expect(line.isClosed).toBe(false)
    await clock.advance('2 s')
    await expect.poll(() => line.isClosed).toBe(true)
  })

  it('lose a connection on which a body goes on after its refusal, or never ends', async () => {
    const { guest, clock } = startMetadata()
    const { port } = await guest()
    const [long, slow] = [dial(port), dial(port)]
    const head = 'POST /openstack/latest/password HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n'
    long.socket.write(head + 'a'.repeat(70_000))
    await expect.poll(() => answersOf(long)).toEqual(['HTTP/1.1 413'])
    await expect.poll(() => long.isClosed).toBe(true)
    slow.socket.write(`${head}a`)
    await expect.poll(() => slow.socket.bytesWritten).toBe(head.length + 1)
    await clock.advance('16 s')
    await expect.poll(() => slow.isClosed).toBe(true)
    expect(slow.seen).toBe('')
  })

  it('get no 5xx when they hang up in the middle', async () => {
    const { guest, ground } = startMetadata()
    const errors: unknown[] = []
    ground.log.error = (...said: unknown[]) => errors.push(said)
    const { port, ask } = await guest()
    const lines = ['GET /openst', 'POST /openstack HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc'].map((text) => {
      const line = dial(port)
      line.socket.end(text)
      return line
    })
    const rude = dial(port)
    rude.socket.write('POST /openstack HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc', () => rude.socket.resetAndDestroy())
    for (const line of [...lines, rude]) await expect.poll(() => line.isClosed).toBe(true)
    expect((await ask('/openstack')).status).toBe(200)
    expect(lines.flatMap(answersOf).filter((status) => status > 'HTTP/1.1 5')).toEqual([])
    expect(errors).toEqual([])
  })

  it('may hold sixteen connections, and none that idles', async () => {
    const { guest, clock } = startMetadata()
    const { port, ask } = await guest()
    const closed = new Set<number>()
    const sockets = Array.from({ length: 17 }, (_, i) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => socket.destroy())
      socket.on('close', () => closed.add(i))
      return socket
    })
    await expect.poll(() => closed.size).toBe(1)
    // A header that trickles in is no reason to wait longer.
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nX-Slow:')
    await clock.advance('16 s')
    await expect.poll(() => closed.size).toBe(17)
    expect((await ask('/openstack')).status).toBe(200)
  })
})
