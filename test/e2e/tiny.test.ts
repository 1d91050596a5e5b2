/** The image `tiny` for real: built from packages, started in QEMU without KVM, fed by a config drive, ended by its power button. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildTiny, type TinyImage, tinyPrerequisites } from '../../src/image/tiny/index.ts'

const run = promisify(execFile)
const works = async (tool: string) =>
  run(tool, ['--version']).then(
    () => true,
    () => false,
  )
const ready = process.arch === 'x64' && (await tinyPrerequisites()).ok && (await works('qemu-system-x86_64')) && (await works('xorriso'))
const needed = process.env.CI === 'true'

const metadata = {
  uuid: '83679162-1378-4288-a2d4-70e13ec132aa',
  hostname: 'web1.novalocal',
  name: 'web1',
  meta: { awkward: 'a "quoted", [bracketed] \\ {thing}: yes' },
  public_keys: {
    'my.key': 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me@example\n',
    other: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF you@example',
  },
}
const network = {
  links: [{ id: 'tap1', type: 'ovs', ethernet_mac_address: '52:54:00:00:00:01', mtu: 1450 }],
  networks: [
    { id: 'network0', link: 'tap9', type: 'ipv4', ip_address: '192.0.2.9', netmask: '255.255.255.0', routes: [] },
    {
      id: 'network1',
      link: 'tap1',
      type: 'ipv4',
      ip_address: '10.0.0.5',
      netmask: '255.255.255.0',
      routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.0.0.1' }],
    },
  ],
  services: [{ type: 'dns', address: '10.0.0.2' }],
}

describe.skipIf(!ready && !needed)('the image tiny', () => {
  let directory: string
  let image: TinyImage
  let guest: Guest | undefined

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'minicloud-tiny-'))
    image = await buildTiny({ workDir: join(directory, 'work'), outDir: join(directory, 'out'), log: () => {} })
    await makeConfigDrive(directory)
  })
  afterAll(async () => {
    await guest?.end()
    await rm(directory, { recursive: true, force: true })
  })

  it('is not built twice', async () => {
    const lines: string[] = []
    expect(await buildTiny({ workDir: join(directory, 'work'), outDir: join(directory, 'out'), log: (line) => lines.push(line) })).toEqual(
      image,
    )
    expect(lines).toEqual([])
  })

  it('starts from its disk, takes the config drive, restarts, and goes off by the power button', async () => {
    guest = startGuest(directory, image)
    await guest.says(/tiny: static eth0 10\.0\.0\.5\/24 via 10\.0\.0\.1\s/)
    await guest.says(/tiny: metadata from config drive\s/)
    await guest.says(/tiny: hostname web1\s/)
    await guest.says(/tiny: ssh key installed \(2\)\s/)
    await guest.says(/said by root\s/)
    await guest.says(/tiny: user-data exit 7\s/)
    await guest.says(/tiny: ready in [\d.]+ s\s/)
    await guest.says(/console only[\s\S]*web1 login:/)

    await guest.monitor('sendkey ctrl-alt-delete')
    await guest.says(/tiny: reboot\s/)
    await guest.says(/tiny: user-data already ran for this instance[\s\S]*tiny: ready in/)

    await guest.monitor('system_powerdown')
    await guest.says(/tiny: power off\s/)
    expect(await guest.exited).toBe(0)
  })
})

async function makeConfigDrive(directory: string): Promise<void> {
  const latest = join(directory, 'drive/openstack/latest')
  await mkdir(latest, { recursive: true })
  await writeFile(join(latest, 'meta_data.json'), JSON.stringify(metadata))
  await writeFile(join(latest, 'network_data.json'), JSON.stringify(network))
  await writeFile(join(latest, 'user_data'), '#!/bin/bash\necho "said by $(id -un)"\nexit 7\n')
  await run('xorriso', [
    '-as',
    'mkisofs',
    '-quiet',
    '-o',
    join(directory, 'drive.iso'),
    '-V',
    'config-2',
    '-J',
    '-r',
    join(directory, 'drive'),
  ])
}

type Guest = {
  says: (what: RegExp) => Promise<void>
  monitor: (command: string) => Promise<void>
  exited: Promise<number | null>
  end: () => Promise<void>
}

function startGuest(directory: string, image: TinyImage): Guest {
  const serial = join(directory, 'serial')
  const socket = join(directory, 'monitor')
  const qemu: ChildProcess = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-machine', 'q35', '-m', String(image.minRamMib), '-nodefaults', '-display', 'none', '-vga', 'std'],
      ...['-uuid', metadata.uuid, '-serial', `file:${serial}`, '-monitor', `unix:${socket},server=on,wait=off`],
      ...['-drive', `file=${image.disk},if=virtio,format=qcow2,snapshot=on`],
      ...['-drive', `file=${join(directory, 'drive.iso')},if=virtio,format=raw,readonly=on`],
      ...['-netdev', 'hubport,id=net0,hubid=0', '-device', 'virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const exited = new Promise<number | null>((resolve) => qemu.once('exit', resolve))
  return {
    exited,
    says: async (what) => {
      const until = Date.now() + 90_000
      let said = ''
      while (Date.now() < until) {
        said = await readFile(serial, 'utf8').catch(() => '')
        if (what.test(said)) return
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(said).toMatch(what)
    },
    monitor: async (command) => {
      const connection = createConnection(socket)
      await new Promise((resolve) => connection.once('data', resolve))
      await new Promise<void>((resolve) => connection.end(`${command}\n`, () => resolve()))
    },
    end: async () => {
      if (qemu.exitCode === null && qemu.signalCode === null) qemu.kill('SIGKILL')
      await exited
    },
  }
}
