// Parley's programs for tests that run them as processes: bundled once for a run, because a process that compiles the source
// itself needs twice the CPU to start.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Below `node_modules`, so that packages are found. */
const directory = path.join(root, 'node_modules/.cache/parley-test')

const entries = {
  main: 'src/main.ts',
  parley: 'src/commands/parley.ts',
  'kill-at': 'test/chaos/kill-at.ts',
  'encrypted-app': 'test/client/e2ee/app-process.ts',
  'record-spans': 'test/support/record-spans.ts',
} as const

/** What an operator runs. */
export type Program = Exclude<keyof typeof entries, 'kill-at' | 'record-spans'>

/** The file of a program, from the source at the start of the run. */
export const fileOf = (program: Program) => path.join(directory, `${program}.js`)

/** The environment of a node that kills itself at a step of its work, the first time after SIGUSR2. */
export const killedAt = (step: string) => ({ ...preloading('kill-at'), CHAOS_KILL_AT: step })

/** The environment of a node with traces, whose spans are recorded in a file: see record-spans.ts. */
export const tracedIn = (file: string) => ({ ...preloading('record-spans'), PARLEY_TRACES: 'true', RECORD_SPANS_IN: file })

const preloading = (module: string) => ({ NODE_OPTIONS: `--import ${pathToFileURL(path.join(directory, `${module}.js`)).href}` })

/** Bundles the programs. Each module keeps the URL of its source, from which it finds files beside it. */
export async function buildPrograms(): Promise<void> {
  await build({
    entryPoints: Object.entries(entries).map(([out, source]) => ({ in: path.join(root, source), out })),
    outdir: directory,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // package.json says only of the client library that its modules have no side effects.
    ignoreAnnotations: true,
    logLevel: 'warning',
    plugins: [
      {
        name: 'source-urls',
        setup(building) {
          building.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path: file }) => {
            const text = await readFile(file, 'utf8')
            return { loader: 'ts', contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href)) }
          })
        },
      },
    ],
  })
}
