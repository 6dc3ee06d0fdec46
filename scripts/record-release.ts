// Records this version in test/released/<version>, against which every later version is tested: `npm run record-release`, once
// for each release. It needs an installed Postgres, because every supported version can restore a dump of the oldest.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type DocumentNode, print } from 'graphql'
import { recordDatabase } from '../test/released/recording.ts'
import * as generated from '../test/support/generated/graphql.ts'
import { closeAll } from '../test/support/node.ts'
import * as web from '../web/src/generated/graphql.ts'

const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const directory = new URL(`../test/released/${version}/`, import.meta.url)

const isDocument = (value: unknown): value is DocumentNode =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Document'
const isOperation = (text: string) => /^\s*(query|mutation|subscription)\b/m.test(text)

/** Every operation of the tests and of the web client, each complete with its fragments. */
const operations = [
  ...Object.values(generated).filter(isDocument).map(print),
  ...Object.entries(web).flatMap(([name, value]) => (name.endsWith('Document') ? [String(value)] : [])),
].filter(isOperation)

await mkdir(directory, { recursive: true })
await writeFile(new URL('schema.graphql', directory), await readFile(new URL('../schema.graphql', import.meta.url)))
await writeFile(new URL('operations.json', directory), `${JSON.stringify(operations, null, 1)}\n`)
try {
  const { dump, known } = await recordDatabase()
  await writeFile(new URL('database.sql', directory), dump)
  await writeFile(new URL('known.json', directory), `${JSON.stringify(known, null, 2)}\n`)
} finally {
  await closeAll()
}
process.stdout.write(`Recorded ${operations.length} operations and a database in ${fileURLToPath(directory)}\n`)
