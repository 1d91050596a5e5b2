/** A server that does nothing but send the bytes of a file: `node bare-hono.ts FILE CONTENT-TYPE`. Prints its port. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const [file = '', contentType = 'application/json'] = process.argv.slice(2)
const body = readFileSync(file, 'utf8')
const app = new Hono()
app.all('*', () => new Response(body, { headers: { 'content-type': contentType } }))
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }: AddressInfo) => process.stdout.write(`${port}\n`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
