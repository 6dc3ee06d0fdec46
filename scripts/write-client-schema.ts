// Writes the schema into the client library, without descriptions, for its test server: `npm run generate`.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { parse, print, stripIgnoredCharacters, visit } from 'graphql'

const generated = new URL('../client/src/generated/', import.meta.url)
const described = parse(await readFile(new URL('../schema.graphql', import.meta.url), 'utf8'))
const schema = visit(described, {
  enter: (node) => ('description' in node ? { ...node, description: undefined } : undefined),
})
const text = JSON.stringify(stripIgnoredCharacters(print(schema)))
await mkdir(generated, { recursive: true })
await writeFile(
  new URL('schema-text.ts', generated),
  `/** The schema of the server, without descriptions. */\nexport const schemaText =\n  ${text}\n`,
)
