// The client library's own operations are valid for the schema.

import { readFile } from 'node:fs/promises'
import { buildSchema, parse, validate } from 'graphql'
import { expect, test } from 'vitest'
import * as operations from '../../client/src/operations.ts'

const schema = buildSchema(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'))
test.each(Object.entries(operations))('%s', (_name, text) => {
  expect(validate(schema, parse(text)).map(({ message }) => message)).toEqual([])
})
