// The first step of `npm start`: says what it does, builds Parley if something has changed since the last build, and otherwise
// starts the existing build.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const mark = path.join(root, 'dist/.built')
const sources = [
  'src',
  'client/src',
  'web',
  'prisma',
  'scripts',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'prisma.config.ts',
]
/** Made by the build itself. */
const generated = /(^|\/)generated(\/|$)/

async function* filesOf(place: string): AsyncGenerator<string> {
  const entries = await readdir(path.join(root, place), { withFileTypes: true }).catch(() => null)
  if (entries === null) {
    yield place
    return
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const below = path.posix.join(place, entry.name)
    if (generated.test(below)) continue
    if (entry.isDirectory()) yield* filesOf(below)
    else yield below
  }
}

/** A hash of everything that the build is made from. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(process.version)
  for (const source of sources) {
    for await (const file of filesOf(source)) hash.update(`${file}\0`).update(await readFile(path.join(root, file)))
  }
  return hash.digest('hex')
}

/** Runs a script of package.json; shows its output only if it fails. */
function run(script: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', script, '--silent'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk)
      })
    }
    child.once('error', reject).once('close', (code) => {
      if (code !== 0) process.stderr.write(output)
      resolve(code ?? 1)
    })
  })
}

const say = (text: string) => process.stdout.write(`${text}\n`)
const now = await fingerprint()
const before = await readFile(mark, 'utf8').catch(() => null)
if (before !== now) {
  say(`Building Parley${before === null ? ' for the first time' : ', because something has changed'}: about half a minute.`)
  await rm(mark, { force: true })
  for (const [script, what] of [
    ['generate', 'the Prisma client and typed documents'],
    ['build:page', 'the page'],
    ['build:server', 'the server'],
  ] as const) {
    say(`  ${what} …`)
    const code = await run(script)
    if (code !== 0) {
      process.exitCode = code
      break
    }
  }
  if (process.exitCode === undefined) {
    await mkdir(path.dirname(mark), { recursive: true })
    await writeFile(mark, now)
  }
}
if (process.exitCode === undefined) say('Starting Parley …')
