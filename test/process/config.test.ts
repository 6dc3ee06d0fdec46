// A configuration that cannot be used: every fault is told at once, before anything is opened.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { variableNames } from '../../src/config.ts'
import { dataDirectory, endings, exists, Parley } from './parley.ts'

test('all faults of a configuration are told in one output, and nothing is started', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({
    PARLEY_DATA_DIR: directory,
    PORT: 'abc',
    REDIS_URL: 'http://x',
    PARLEY_JWKS_URL: 'https://login.example/keys',
    PARLEY_UNKNOWN: '1',
    PARLEY_TOKEN_SECRET: 'short',
  })
  expect(await parley.ended()).toEqual(endings.failed)
  const [title, ...faults] = parley.stderr.trimEnd().split('\n')
  expect(title).toBe('The configuration has 5 faults:')
  expect(faults.sort()).toEqual([
    '  - PARLEY_JWKS_ISSUER and PARLEY_JWKS_AUDIENCE must be set too, beside PARLEY_JWKS_URL',
    '  - PARLEY_TOKEN_SECRET: must have at least 32 characters',
    '  - PARLEY_UNKNOWN is not a variable of Parley',
    expect.stringMatching(/^ {2}- PORT: ./),
    expect.stringMatching(/^ {2}- REDIS_URL: ./),
  ])
  expect(parley.stdout).toBe('')
  expect(await exists(directory)).toBe(false)
})

test('production without a database and a token secret is refused, and both are named', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({ NODE_ENV: 'production', PARLEY_DATA_DIR: directory, DATABASE_URL: '' })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr.trimEnd().split('\n')).toEqual([
    'The configuration has 2 faults:',
    '  - DATABASE_URL must be set in production, to the same value on every node',
    '  - PARLEY_TOKEN_SECRET must be set in production, to the same value on every node',
  ])
  expect(await exists(directory)).toBe(false)
})

test('.env.example has every variable that Parley reads, once, and no other', async () => {
  const text = await readFile(new URL('../../.env.example', import.meta.url), 'utf8')
  const names = [...text.matchAll(/^(?:# ?)?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name)
  expect(names.toSorted()).toEqual([...variableNames].sort())
})
