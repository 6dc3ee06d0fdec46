// A configuration that cannot be used: every fault is told at once, before anything is opened.

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { variableNames } from '../../src/config.ts'
import { vapid } from '../push/support.ts'
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

test('keys for Web Push that are no pair, and a server that push services could not write to, are refused', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({
    NODE_ENV: 'production',
    PARLEY_DATA_DIR: directory,
    DATABASE_URL: 'postgres://127.0.0.1:9/none',
    PARLEY_TOKEN_SECRET: 'a secret that nobody will ever guess',
    PARLEY_VAPID_PUBLIC_KEY: vapid.PARLEY_VAPID_PUBLIC_KEY,
    PARLEY_VAPID_PRIVATE_KEY: Buffer.alloc(32, 7).toString('base64url'),
    PARLEY_PUSH_WEBHOOK_URL: 'https://example.com/',
  })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr.trimEnd().split('\n').toSorted()).toEqual([
    '  - PARLEY_PUSH_WEBHOOK_SECRET must be set too, beside PARLEY_PUSH_WEBHOOK_URL',
    '  - PARLEY_VAPID_PRIVATE_KEY is not the private key of PARLEY_VAPID_PUBLIC_KEY',
    '  - PARLEY_VAPID_SUBJECT must be set too in production: push services want to know whom to write to',
    'The configuration has 3 faults:',
  ])
})

test('.env.example has every variable that Parley reads, once, and no other', async () => {
  const text = await readFile(new URL('../../.env.example', import.meta.url), 'utf8')
  const names = [...text.matchAll(/^(?:# ?)?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name)
  expect(names.toSorted()).toEqual([...variableNames].sort())
})
