// The operations that the client library itself asks are valid for the schema.

import { readFile } from 'node:fs/promises'
import { buildSchema, parse, validate } from 'graphql'
import { expect, test } from 'vitest'
import * as operations from '../../src/client/operations.ts'

const schema = buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'))
/** What a server may lack: the client does without it. */
const mayLack = ['gateway', 'heartbeat']
const isThere = (name: string) =>
  [schema.getQueryType(), schema.getMutationType()].some((type) => type && name in type.getFields())

test.each(Object.entries(operations).filter(([name]) => isThere(name) || !mayLack.includes(name)))('%s', (_name, text) => {
  expect(validate(schema, parse(text)).map(({ message }) => message)).toEqual([])
})
