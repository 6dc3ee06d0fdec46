// npm run bench [-- --only fan-out,ingest] [--small] [--ten-million]: runs the lines, prints them, and writes results.md. A
// small run only shows that everything works; it writes nothing. With --compare FILE it tells what got worse than in the figures of
// an earlier run (results.json), by more than the noise of the rounds, and ends with 1 if something did.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { openBackends } from './kit/backends.ts'
import { compile } from './kit/build.ts'
import { profileInto, stopChildren } from './kit/child.ts'
import { compare, readFigures, writeFigures } from './kit/compare.ts'
import type { Line, Result } from './kit/line.ts'
import { describeLoad, describeMachine } from './kit/machine.ts'
import { sectionOf, writePage } from './kit/page.ts'
import { encryption } from './lines/encryption.ts'
import { fanOut } from './lines/fan-out.ts'
import { files } from './lines/files.ts'
import { growth } from './lines/growth.ts'
import { ingest } from './lines/ingest.ts'
import { latency } from './lines/latency.ts'
import { memory } from './lines/memory.ts'
import { pages } from './lines/pages.ts'
import { push } from './lines/push.ts'
import { stormLine } from './lines/storm.ts'

const lines: readonly Line[] = [fanOut, ingest, memory, pages, stormLine, latency, growth, push, files, encryption]
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    small: { type: 'boolean', default: false },
    'ten-million': { type: 'boolean', default: false },
    profile: { type: 'string' },
    compare: { type: 'string' },
  },
})
const say = (text: string) => process.stdout.write(`${text}\n`)
const wanted = values.only?.split(',') ?? lines.map(({ name }) => name)
const unknown = wanted.filter((name) => !lines.some((line) => line.name === name))
if (unknown.length > 0) {
  process.stderr.write(`There is no line ${unknown.join(', ')}. The lines: ${lines.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}

let isEnding = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.exitCode = 1
    isEnding = true
    void close()
  })
}
if (values.profile) profileInto(values.profile)
// biome-ignore lint/style/noProcessEnv: npm runs this in bench/, and says here where it was called
const calledIn = process.env.INIT_CWD ?? '.'
const earlier = values.compare === undefined ? null : await readFigures(path.resolve(calledIn, values.compare))
const loadAtStart = describeLoad()
await compile()
const backends = await openBackends()

async function close(): Promise<void> {
  await stopChildren()
  await backends.close()
}

/** Runs a line; returns its results, and its section of the page. */
async function runLine(line: Line): Promise<{ result: Result; section: string }> {
  const load = describeLoad()
  say(`\n${line.title} …`)
  const begun = performance.now()
  const result = await line.run({ backends, isSmall: values.small, isLong: values['ten-million'], say })
  const tookS = Math.round((performance.now() - begun) / 1_000)
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  return { result, section: sectionOf(line, result, `${date} UTC, load at the start ${load}, took ${tookS} s.`) }
}

try {
  const machine = [...describeMachine(backends.postgres), `- Load at the start: ${loadAtStart}`]
  say(machine.join('\n'))
  const sections = new Map<string, string>()
  const figures: Record<string, Result['figures']> = {}
  for (const line of lines.filter(({ name }) => wanted.includes(name))) {
    // A failing line does not stop the others.
    const ran = await runLine(line).catch((error: Error) => {
      process.exitCode = 1
      process.stderr.write(`${line.name} failed: ${error.stack}\n`)
    })
    await stopChildren()
    if (isEnding) break
    if (ran === undefined) continue
    const { result, section } = ran
    say(`\n${section}`)
    if (values.small) say('A small run shows that the line works. Its numbers mean nothing.')
    sections.set(line.title, section)
    figures[line.name] = result.figures
    if (values.small || values.profile) continue
    await writePage(new URL('results.md', import.meta.url), lines, sections, machine)
    await writeFigures(new URL('results.json', import.meta.url), figures)
    for (const [file, svg] of Object.entries(result.plots ?? {})) await writeFile(new URL(file, import.meta.url), svg)
  }
  if (earlier) {
    const { worse, better } = compare(earlier, figures)
    say(['', ...better.map((one) => `better: ${one}`), ...worse.map((one) => `WORSE: ${one}`), ''].join('\n'))
    if (better.length + worse.length === 0) say('Nothing changed by more than the noise of the rounds.')
    if (worse.length > 0) process.exitCode = 1
  }
} catch (error) {
  process.exitCode = 1
  process.stderr.write(`${(error as Error).stack}\n`)
} finally {
  await close()
}
