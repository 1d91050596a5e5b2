/**
 * `npm run build [-- DIR]`: from the checkout to what is given away, by default in `dist`.
 *
 * - `dist/minicloud`: one executable for this machine's kind, with Node.js, the native addon, migrations and pages inside
 * - `dist/npm`: a package whose `bin` are `minicloud`, `nova-manage` and `nova-status`, ready for `npm pack`; the Dockerfile installs it
 *
 * @see https://nodejs.org/api/single-executable-applications.html
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import { listAssets } from '../src/base/assets.ts'
import { consoleAssets } from '../src/nova/console/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = resolve(process.argv[2] ?? join(root, 'dist'))
const addonAsset = 'better_sqlite3.node'

const shared = {
  absWorkingDir: root,
  entryPoints: ['src/main.ts'],
  bundle: true,
  platform: 'node',
  target: 'node26',
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions

/** What `base/assets.ts` reads; names below the project's root. */
const assetNames = (): string[] => ['package.json', ...listAssets('migrations/'), ...consoleAssets()]

/** Inside the executable the addon is an asset: written to a file of our own for as long as it takes to load it. */
const addonFromAsset: Plugin = {
  name: 'addon-from-asset',
  setup({ onLoad }) {
    onLoad({ filter: /better-sqlite3\/lib\/binding\.js$/ }, () => ({ contents: addonLoader, loader: 'js' }))
  },
}
const addonLoader = `
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { constants, tmpdir } = require('node:os')
const { join } = require('node:path')
const { getRawAsset } = require('node:sea')
let addon
exports.getBinding = () => {
  if (addon) return addon
  const folder = mkdtempSync(join(tmpdir(), 'minicloud-'))
  try {
    const file = join(folder, '${addonAsset}')
    writeFileSync(file, new Uint8Array(getRawAsset('${addonAsset}')), { mode: 0o700 })
    const loaded = { exports: {} }
    process.dlopen(loaded, file, constants.dlopen.RTLD_NOW)
    addon = loaded.exports
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return addon
}
`

async function buildExecutable(): Promise<void> {
  const bundle = join(dist, 'work', 'main.cjs')
  const { metafile } = await build({
    ...shared,
    outfile: bundle,
    format: 'cjs',
    minifySyntax: true,
    plugins: [addonFromAsset],
    logOverride: { 'empty-import-meta': 'silent' },
  })
  const licenses = join(dist, 'work', 'licenses.txt')
  writeFileSync(licenses, licensesOf(metafile))
  const assets = Object.fromEntries(assetNames().map((name) => [name, join(root, name)]))
  const settings = {
    main: bundle,
    output: join(dist, 'minicloud'),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    execArgvExtension: 'none',
    assets: { ...assets, [addonAsset]: addonFile(), 'licenses.txt': licenses },
  }
  const file = join(dist, 'work', 'sea.json')
  writeFileSync(file, JSON.stringify(settings, null, 2))
  execFileSync(process.execPath, ['--build-sea', file], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  chmodSync(settings.output, 0o755)
}

function addonFile(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  const system = header.glibcVersionRuntime ? 'linux' : 'linuxmusl'
  return join(root, `node_modules/better-sqlite3/prebuilds/${system}-${process.arch}.node`)
}

type Package = {
  version: string
  description: string
  license: string
  dependencies: Record<string, string>
  optionalDependencies: Record<string, string>
  bin: Record<string, string>
}

async function buildPackage(): Promise<void> {
  const out = join(dist, 'npm')
  const { metafile } = await build({
    ...shared,
    // Two folders deep, as src/base is: the assets lie below the grandparent of the code.
    outdir: join(out, 'lib/bundle'),
    format: 'esm',
    splitting: true,
    external: ['better-sqlite3'],
    banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
  })
  for (const name of assetNames()) {
    mkdirSync(dirname(join(out, name)), { recursive: true })
    cpSync(join(root, name), join(out, name))
  }
  for (const name of ['package.json', 'LICENSE.txt'])
    cpSync(join(root, 'node_modules/@novnc/novnc', name), join(out, 'node_modules/@novnc/novnc', name))
  cpSync(join(root, 'bin'), join(out, 'bin'), { recursive: true })
  for (const name of ['README.md', 'LICENSE']) if (existsSync(join(root, name))) cpSync(join(root, name), join(out, name))
  writeFileSync(join(out, 'licenses.txt'), licensesOf(metafile))
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Package
  const { version, description, license, dependencies, optionalDependencies, bin } = own
  const kept = ['@novnc/novnc', 'better-sqlite3']
  const manifest = {
    name: 'minicloud',
    version,
    description,
    license,
    type: 'module',
    bin,
    dependencies: Object.fromEntries(kept.map((name) => [name, dependencies[name]])),
    bundleDependencies: ['@novnc/novnc'],
    optionalDependencies,
  }
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** The licences of all that went into a bundle. */
function licensesOf({ inputs }: Metafile): string {
  const inside = Object.keys(inputs).flatMap((file) => file.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)?.slice(1) ?? [])
  return [...new Set([...inside, '@novnc/novnc', 'better-sqlite3'])]
    .sort()
    .map((name) => {
      const folder = join(root, 'node_modules', name)
      const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string; license?: string }
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      return `${name} ${version} (${license ?? 'see below'})\n\n${file ? readFileSync(join(folder, file), 'utf8').trim() : ''}\n`
    })
    .join('\n----\n\n')
}

for (const name of ['minicloud', 'npm', 'work']) rmSync(join(dist, name), { recursive: true, force: true })
mkdirSync(join(dist, 'work'), { recursive: true })
await buildExecutable()
await buildPackage()
rmSync(join(dist, 'work'), { recursive: true })
for (const name of ['minicloud', 'npm']) process.stdout.write(`${join(dist, name)}\n`)
