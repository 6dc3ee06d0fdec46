// The schema is a promise: it is printed, committed and compared, and every element has a description.

import { readdir, readFile } from 'node:fs/promises'
import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql'
import { expect, test } from 'vitest'
import { closeCodes, errorCodes } from '../../src/errors.ts'
import { kindsByName } from '../../src/facts.ts'
import { schema } from '../../src/schema.ts'

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')

test('schema.graphql is the schema of the server: npm run schema', async () => {
  expect(`${printSchema(lexicographicSortSchema(schema))}\n`).toBe(await read('schema.graphql'))
})

test('every type, field, argument and enum value has a description', () => {
  const bare: string[] = []
  const check = (name: string, { description }: { description?: string | null | undefined }) => {
    if (!description) bare.push(name)
  }
  const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type))
  for (const type of types as GraphQLNamedType[]) {
    check(type.name, type)
    if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value)
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) check(`${type.name}.${field.name}`, field)
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      check(`${type.name}.${field.name}`, field)
      for (const argument of field.args) check(`${type.name}.${field.name}(${argument.name})`, argument)
    }
  }
  expect(types.length).toBeGreaterThan(40)
  expect(bare).toEqual([])
})

test('every mutation has one input or none, and a payload of its own', () => {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    expect(field.args.map(({ name }) => name)).toEqual(field.args.length === 0 ? [] : ['input'])
    expect(String(field.type)).toBe(`${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}Payload!`)
  }
})

test('docs/protocol.md has a row for each error code and each close code of Parley', async () => {
  const text = await read('docs/protocol.md')
  for (const code of Object.keys(errorCodes)) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
  for (const code of [...Object.values(closeCodes), 1012]) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
})

test('docs/protocol.md lists every event of the schema, and which facts belong to a user', async () => {
  const text = await read('docs/protocol.md')
  const namesIn = (part: string | undefined) => [...(part ?? '').matchAll(/\b[A-Z]\w+/g)].map(([name]) => name).toSorted()
  const event = schema.getType('Event')
  const events = isInterfaceType(event) ? schema.getPossibleTypes(event).map(({ name }) => name) : []
  const facts = events.filter((name) => !['SyncStarted', 'CaughtUp', 'Tick'].includes(name)).toSorted()
  expect(namesIn(/^fact {5}= ([^`]+)```/m.exec(text)?.[1])).toEqual(facts)
  const sources = (await readdir(new URL('../../src', import.meta.url), { recursive: true })).filter((file) =>
    /events\.ts$/.test(file),
  )
  const code = await Promise.all(sources.map((file) => read(`src/${file}`)))
  const own = code.flatMap((file) => [...file.matchAll(/kind: \w+Kinds\.(\w+)\.number,\s+user_id/g)].map(([, name]) => name))
  expect(own.length).toBeGreaterThan(8)
  const listed = /the\s+fact\s+is\s+the\s+user's\s+own\s+\(([^)]+)\)/.exec(text)?.[1]
  expect(namesIn(listed)).toEqual([...new Set(own)].toSorted())
})

test('every kind of fact is an event', async () => {
  const kinds = Object.keys(kindsByName).toSorted()
  const event = schema.getType('Event')
  const events = isInterfaceType(event) ? schema.getPossibleTypes(event).map(({ name }) => name) : []
  expect(kinds.filter((kind) => !events.includes(kind))).toEqual([])
})
