// A database that cannot be used: a sentence that names the variable, soon, and an end with code 1.

import { expect, inject, test } from 'vitest'
import type { Environment } from '../support/node.ts'
import { dataDirectory, endings, exists, Parley, takenPort } from './parley.ts'

const secret = { PARLEY_TOKEN_SECRET: 'a token secret of at least 32 characters', PORT: '0' }

test('a database that cannot be reached is told', async () => {
  const { port, listener } = await takenPort()
  await new Promise((resolve) => listener.close(resolve))
  expect(await refusalOf({ ...secret, DATABASE_URL: `postgresql://parley:x@127.0.0.1:${port}/parley` })).toBe(
    `DATABASE_URL: Postgres at 127.0.0.1:${port} cannot be reached (ECONNREFUSED)\n`,
  )
})

test('a database that does not exist is told', async () => {
  const url = new URL(inject('postgresUrl'))
  url.pathname = '/nobody_made_this'
  expect(await refusalOf({ ...secret, DATABASE_URL: url.href })).toBe(
    `DATABASE_URL: there is no database nobody_made_this on ${url.host}: create it first\n`,
  )
})

test('a wrong password of the database is told, and is not itself shown', async () => {
  const url = new URL(inject('postgresUrl'))
  url.password = 'not-the-password'
  expect(await refusalOf({ ...secret, DATABASE_URL: url.href })).toBe(
    `DATABASE_URL: ${url.host} refuses the user ${url.username} or its password\n`,
  )
})

/** What a process tells that is refused within 10 s. */
async function refusalOf(environment: Environment): Promise<string> {
  const directory = await dataDirectory()
  const begun = Date.now()
  const parley = new Parley({ ...environment, PARLEY_DATA_DIR: directory })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(Date.now() - begun).toBeLessThan(10_000)
  expect(parley.stdout).toBe('')
  expect(await exists(directory)).toBe(false)
  return parley.stderr
}
