// The schema is a promise: printed, committed, compared; every element described.

import { readFile } from 'node:fs/promises'
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
import { closeCodes, errorCodes } from '../src/errors.ts'
import { schema } from '../src/schema.ts'

const read = (name: string) => readFile(new URL(`../${name}`, import.meta.url), 'utf8')

test('schema.graphql is the schema that the server serves: npm run schema', async () => {
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

test('every mutation takes one input, or none, and has a payload of its own', () => {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    expect(field.args.map(({ name }) => name)).toEqual(field.args.length === 0 ? [] : ['input'])
    expect(String(field.type)).toBe(`${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}Payload!`)
  }
})

test('docs/protocol.md has a row for every error code and every close code of ours', async () => {
  const text = await read('docs/protocol.md')
  for (const code of Object.keys(errorCodes)) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
  for (const code of [...Object.values(closeCodes), 1012]) expect(text).toMatch(new RegExp(`^\\| \`?${code}\`? \\|`, 'm'))
})
