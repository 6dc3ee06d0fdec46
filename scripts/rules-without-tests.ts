// Lists the rules of docs/protocol.md (D, P, A, B, C and N in its tables) without a test that has their id in its title, and
// exits with 1 if there are any. A rule whose last column begins with "not yet" is exempt; "in part" is not: the part that
// holds has a test. `npm run rules`; .ci/run runs it.

import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const protocol = await readFile(path.join(root, 'docs/protocol.md'), 'utf8')

const stated = new Map<string, string>()
const repeated: string[] = []
for (const [, id = '', status = ''] of protocol.matchAll(/^\| ([DPABCN]\d+) \|.*\| (.*) \|$/gm)) {
  if (stated.has(id)) repeated.push(id)
  stated.set(id, status)
}

const titled = new Set<string>()
const title = /\b(?:test|describe)(?:\.\w+)*(?:\([^)]*\))?\(\s*(['"`])(.*?)\1/gs
for (const file of await readdir(path.join(root, 'test'), { recursive: true })) {
  if (!file.endsWith('.test.ts')) continue
  const text = await readFile(path.join(root, 'test', file), 'utf8')
  // The ids stand at the beginning of a title.
  for (const [, , words = ''] of text.matchAll(title))
    for (const id of /^(?:[DPABCN]\d+ )*/.exec(words)?.[0].split(' ') ?? []) titled.add(id)
}

const missing = [...stated].filter(([id, status]) => !titled.has(id) && !/^\**not yet/.test(status)).map(([id]) => id)
const unknown = [...titled].filter((id) => id !== '' && !stated.has(id))
const say = (what: string, ids: readonly string[]) => {
  if (ids.length > 0) process.stdout.write(`${what}: ${ids.join(', ')}\n`)
}
process.stdout.write(`${stated.size} rules, ${stated.size - missing.length} with a test or not yet kept\n`)
say('Rules without a test', missing)
say('Stated twice', repeated)
say('In titles of tests, and no rule', unknown)
process.exitCode = missing.length + repeated.length + unknown.length > 0 ? 1 : 0
