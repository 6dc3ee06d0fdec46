// What earlier versions left must keep working: their clients' operations, and their databases. `test/released/` holds the
// state of each release, recorded by `npm run record-release`.

import { readdir, readFile } from 'node:fs/promises'
import { diff } from '@graphql-inspector/core'
import { buildSchema, parse, validate } from 'graphql'
import type { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { schema } from '../../src/schema.ts'
import { functionRelease, readFunctions } from '../../src/store/functions.ts'
import { expectStart } from '../journal/pair.ts'
import { connect, createEmptyDatabase, openNode } from '../support/node.ts'
import { environment, type Known, logInSeeded } from './recording.ts'

const directory = new URL('./', import.meta.url)
const releases = (await readdir(directory, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

test('this version or an earlier one has been recorded', () => {
  expect(releases).toContain('0.1.0')
})

/** The SQL functions and procedures of a database, with the types of their parameters. */
async function signaturesIn(client: Client): Promise<{ name: string; parameters: string }[]> {
  const { rows } = await client.query(
    `select proname as name, pg_get_function_identity_arguments(oid) as parameters from pg_proc
      where pronamespace = 'public'::regnamespace and proname ~ '^(journal|message)_' order by 1, 2`,
  )
  return rows
}

describe.each(releases)('%s', (release) => {
  const read = (name: string) => readFile(new URL(`${release}/${name}`, directory), 'utf8')
  const operations = async () => JSON.parse(await read('operations.json')) as string[]

  test('its schema has only grown', async () => {
    const changes = await diff(buildSchema(await read('schema.graphql')), schema)
    expect(changes.filter(({ criticality }) => criticality.level === 'BREAKING').map(({ message }) => message)).toEqual([])
  })

  test('each operation of its clients is still valid', async () => {
    const texts = await operations()
    expect(texts.length).toBeGreaterThan(100)
    for (const text of texts) expect(validate(schema, parse(text)), text).toEqual([])
  })

  test('D1 D3 this version starts on its database: nothing has changed, streams resume, and messages are sent', async () => {
    const databaseUrl = await createEmptyDatabase()
    const restoring = await connect(databaseUrl)
    await restoring.query(await read('database.sql'))
    const client = await connect(databaseUrl)
    const [functions] = (await client.query('select number, checksum from function_release')).rows
    // A released functions number stands for one text: a change needs the next number.
    if (functions.number === functionRelease) expect((await readFunctions()).checksum).toBe(functions.checksum)
    expect(functions.number).toBeLessThanOrEqual(functionRelease)

    const before = await signaturesIn(client)
    const node = await openNode({ ...environment, DATABASE_URL: databaseUrl })
    // Its nodes may still run: what they call is there. They call journal_send and the like only through a procedure.
    const names = new Set(before.map(({ name }) => name))
    const called = before.filter(({ name }) => !names.has(`${name}_batch`))
    expect(called.length).toBeGreaterThan(5)
    expect(await signaturesIn(client)).toEqual(expect.arrayContaining(called))
    const { people, cursor, conversationId, missed, whole } = JSON.parse(await read('known.json')) as Known
    const alice = await logInSeeded(node, 'alice')
    const query = (await operations()).find((text) => text.includes('query Whole('))
    const response = await fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${alice.accessToken}` },
      body: JSON.stringify({ query, variables: { people } }),
    })
    const { data } = (await response.json()) as { data: Known['whole'] }
    // The log-in made one more session.
    expect({ ...data, sessions: data.sessions.length - 1 }).toEqual({ ...whole, sessions: whole.sessions.length })

    const stream = alice.events({ after: cursor })
    await expectStart(stream, 'RESUMED', null)
    await stream.text(missed)
    await alice.send(conversationId, 'after the upgrade')
    await stream.text('after the upgrade')
  })
})
