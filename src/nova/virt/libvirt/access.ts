/**
 * Lets QEMU reach our files where libvirt runs it as a user of its own, and nobody else.
 *
 * The data directory is closed (0700). For QEMU's user it opens by group: directories on the way become 0710 and shared files 0640 with
 * that user's own group. Nothing outside the data directory is ever changed; what is in the way there is named as a problem.
 */
import { chmod, chown, readFile, stat } from 'node:fs/promises'
import { dirname, relative, sep } from 'node:path'

export type RunsAs = { readonly uid: number; readonly gid: number }
export type Problem = { readonly what: string; readonly remedy: string }

const isRoot = () => process.getuid?.() === 0

export class Access {
  readonly #dataDir: string
  readonly #runsAs: RunsAs
  readonly #group: number

  private constructor(dataDir: string, runsAs: RunsAs, group: number) {
    this.#dataDir = dataDir
    this.#runsAs = runsAs
    this.#group = group
  }

  /** @returns null when QEMU runs as ourselves, or as root, and needs no leave */
  static async make(dataDir: string, runsAs: RunsAs | null): Promise<Access | null> {
    if (runsAs === null || runsAs.uid === 0 || runsAs.uid === process.getuid?.()) return null
    return new Access(dataDir, runsAs, await ownGroup(runsAs))
  }

  /** Makes a file or directory QEMU's own. Does nothing when we may not. */
  async give(path: string, mode: number): Promise<void> {
    if (!isRoot()) return
    await chown(path, this.#runsAs.uid, this.#runsAs.gid)
    await chmod(path, mode)
  }

  /** Lets QEMU pass through the directories on the way to `path`. @returns what is in the way */
  async way(path: string): Promise<Problem[]> {
    const problems: Problem[] = []
    for (let dir = dirname(path); ; dir = dirname(dir)) {
      const problem = await this.#allow(dir, 1)
      if (problem) problems.push(problem)
      if (dir === dirname(dir)) return problems
    }
  }

  /** Lets QEMU read a file that stays ours. @returns what is in the way */
  async read(path: string): Promise<Problem[]> {
    const problem = await this.#allow(path, 4)
    return [...(problem ? [problem] : []), ...(await this.way(path))]
  }

  async #allow(path: string, bit: 1 | 4): Promise<Problem | null> {
    const { uid, gid, mode } = await stat(path)
    const { uid: user, gid: group } = this.#runsAs
    const allowed = uid === user ? mode & (bit << 6) : gid === group || gid === this.#group ? mode & (bit << 3) : mode & bit
    if (allowed) return null
    if (this.#isOurs(path) && isRoot()) {
      await chown(path, uid, this.#group)
      await chmod(path, (mode & 0o700) | (bit << 3))
      return null
    }
    return {
      what: `QEMU, which libvirt runs as user ${user}, cannot ${bit === 1 ? 'pass through' : 'read'} ${path}`,
      remedy: `keep the data directory elsewhere, such as below /var/lib, or run: setfacl -m u:${user}:${bit === 1 ? 'x' : 'r'} ${path}`,
    }
  }

  #isOurs(path: string): boolean {
    const way = relative(this.#dataDir, path)
    return way === '' || (way !== '..' && !way.startsWith(`..${sep}`))
  }
}

/** The group that only this user is in, by the user's name; QEMU's group `kvm` may hold people. */
async function ownGroup({ uid, gid }: RunsAs): Promise<number> {
  const rows = async (file: string) => (await readFile(file, 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'))
  const name = (await rows('/etc/passwd')).find((row) => row[2] === String(uid))?.[0]
  const group = (await rows('/etc/group')).find((row) => row[0] === name)?.[2]
  return group === undefined ? gid : Number(group)
}
