/**
 * The short life of a child: started inside a network's namespace, it opens the metadata port there and hands the socket to its parent.
 *
 * A socket stays in the namespace in which it was made, whoever holds it. So the cloud serves every network from its one process, and knows by the socket
 * which network a guest is in; nothing a guest says can change that.
 */
import { createServer } from 'node:net'

const metadataAddress = { host: '169.254.169.254', port: 80 }

/** Runs until the parent holds the socket, then ends the process: with 1, and a word on stderr, when the port could not be opened. */
export function runNetnsListener(): void {
  const server = createServer({ pauseOnConnect: true })
  server.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
  server.listen({ ...metadataAddress, exclusive: true }, () => {
    process.send?.({ listening: true }, server, {}, () => process.exit(0))
  })
}
