/**
 * Real clients, `openstack` and `nova`, that answer many commands from one process: starting one takes longer than most of their commands.
 * They come with tokens, because each command signs in and passwords are slow on purpose.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import type { ServeProcess } from './process.ts'

const python = '/usr/bin/python3'
const driver = fileURLToPath(new URL('../e2e/client-driver.py', import.meta.url))
const libraries = ['openstackclient', 'novaclient'].map((name) => `/usr/lib/python3/dist-packages/${name}`)

export const hasClients = libraries.every((path) => existsSync(path))

export type Answer = { command: string | null; status: number; stdout: string; stderr: string }

type SignIn = { url: string; token: string; project: string }
type Cloud = { auth_type: string; auth: Record<string, string> }

export class Clients implements AsyncDisposable {
  /** What was run, by the clients' own names for it: `openstack server create`, `nova boot`. */
  readonly ran = new Set<string>()
  /** For files that commands read and write. */
  readonly dir: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>
  readonly #tokens: ReadonlyMap<string, SignIn>
  #last: Promise<unknown> = Promise.resolve()

  constructor(dir: string, tokens: ReadonlyMap<string, SignIn>) {
    this.dir = dir
    this.#tokens = tokens
    this.#child = spawn(python, [driver], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: `${dir}:/usr/bin:/bin`,
        HOME: dir,
        LANG: 'C.UTF-8',
        PYTHONWARNINGS: 'ignore',
        OS_CLIENT_CONFIG_FILE: join(dir, 'clouds.yaml'),
      },
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** One command after the other, however many ask. @throws when the clients' process has ended */
  run(program: 'openstack' | 'nova', argv: readonly string[]): Promise<Answer> {
    const answer = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify([program, ...argv])}\n`)
      const { value, done } = await this.#answers.next()
      if (done) throw new Error(`${program} ${argv.join(' ')}: the clients' process has ended`)
      const answered = JSON.parse(value) as Answer
      if (answered.command) this.ran.add(`openstack ${answered.command}`)
      return answered
    })
    this.#last = answer.catch(() => undefined)
    return answer
  }

  /** `openstack` in a cloud of clouds.yaml, at a microversion of Compute if one is named. */
  openstack({ cloud = 'minicloud', version }: { cloud?: string; version?: string } = {}): Client {
    const first = [`--os-cloud=${cloud}`, ...(version ? ['--os-compute-api-version', version] : [])]
    return new Client((argv) => this.run('openstack', [...first, ...argv]))
  }

  nova({ cloud = 'minicloud', version }: { cloud?: string; version?: string } = {}): Client {
    const { url = '', token = '', project = '' } = this.#tokens.get(cloud) ?? {}
    const first = [
      '--os-auth-type',
      'token',
      '--os-auth-url',
      url,
      '--os-token',
      token,
      '--os-project-name',
      project,
      '--os-project-domain-id',
      'default',
    ]
    if (version) first.push('--os-compute-api-version', version)
    return new Client((argv) => {
      this.ran.add(`nova ${argv[0]}`)
      return this.run('nova', [...first, ...argv])
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.stdin.end()
    if (this.#child.exitCode === null) await ended
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** A client as one user, at one version. */
export class Client {
  readonly #run: (argv: readonly string[]) => Promise<Answer>

  constructor(run: (argv: readonly string[]) => Promise<Answer>) {
    this.#run = run
  }

  /** Answers what the command prints. @throws with its standard error when it fails */
  async text(...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#run(argv)
    if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr || stdout}`)
    return stdout
  }

  /** The same of `openstack` with JSON output. What `--wait` prints before it is passed over. */
  // biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks into
  async json(...argv: string[]): Promise<any> {
    const stdout = await this.text(...argv, '-f', 'json')
    return JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))
  }

  /** Answers what a command says that fails. @throws when it succeeds, or ends with a traceback */
  async refused(...argv: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#run(argv)
    if (status === 0 || stderr.includes('Traceback')) throw new Error(`${argv.join(' ')} ended with ${status}: ${stdout}${stderr}`)
    return stderr
  }
}

/** Starts the clients for a cloud; the users are those of its clouds.yaml. @throws when one of them cannot sign in */
export async function startClients(cloud: ServeProcess): Promise<Clients> {
  const dir = mkdtempSync(join(tmpdir(), 'minicloud-clients-'))
  const { clouds } = parse(readFileSync(cloud.ready.clouds_yaml, 'utf8')) as { clouds: Record<string, Cloud> }
  const tokens = new Map<string, SignIn>()
  for (const [name, entry] of Object.entries(clouds)) {
    const { auth_url: url = '', username, password, project_name, project_domain_name, user_domain_name } = entry.auth
    const answer = await fetch(`${url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user: { name: username, password, domain: { name: user_domain_name } } } },
          scope: { project: { name: project_name, domain: { name: project_domain_name } } },
        },
      }),
    })
    const token = answer.headers.get('x-subject-token')
    if (!token) throw new Error(`${name}: no token: ${await answer.text()}`)
    tokens.set(name, { url, token, project: project_name ?? '' })
    Object.assign(entry, { auth_type: 'token', auth: { auth_url: url, token, project_name, project_domain_name } })
  }
  writeFileSync(join(dir, 'clouds.yaml'), stringify({ clouds }), { mode: 0o600 })
  return new Clients(dir, tokens)
}
