// The bench runs compiled code, as in production: Parley in the root's dist/, the programs of the bench beside their packages.
// A loader that rewrites functions would be measured too.

import { execFile } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const run = promisify(execFile)

/** The root of the repository, and the folder of the bench. */
export const root = fileURLToPath(new URL('../../', import.meta.url))
export const bench = path.join(root, 'bench')
/** The folder of the compiled programs, from which their imports find the packages of the bench. */
export const buildDirectory = path.join(bench, 'node_modules', '.build')

/** Makes the Prisma client of the stock recipe. */
export async function generate(): Promise<void> {
  const prisma = path.join(root, 'node_modules', 'prisma', 'build', 'index.js')
  await run(process.execPath, [prisma, 'generate', '--no-hints', '--config', path.join(bench, 'stock', 'prisma.config.ts')], {
    cwd: root,
  })
}

/** Compiles Parley and the programs of the bench. */
export async function compile(): Promise<void> {
  await Promise.all([run('npm', ['run', 'build', '--silent'], { cwd: root }), generate()])
  await build({
    absWorkingDir: bench,
    entryPoints: ['servers/*.ts', 'clients/*.ts'],
    outdir: buildDirectory,
    outbase: bench,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'error',
  })
}
