// An unusable configuration: every error is reported at once, before anything is opened.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from '../../src/config/config.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { secretNames, variableNames } from '../../src/config/variables.ts'
import { vapid } from '../push/support.ts'
import { dataDirectory, endings, exists, Parley } from './parley.ts'

test('reports all errors of a configuration in one output, and starts nothing', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({
    PARLEY_DATA_DIR: directory,
    PORT: 'abc',
    REDIS_URL: 'http://x',
    PARLEY_JWKS_URL: 'https://login.example/keys',
    PARLEY_UNKNOWN: '1',
    PARLEY_TRUSTED_PROXIES: '10.0.0.0/33',
    PARLEY_TOKEN_SECRET: 'short',
  })
  expect(await parley.ended()).toEqual(endings.failed)
  const [title, ...faults] = parley.stderr.trimEnd().split('\n')
  expect(title).toBe('The configuration has 6 errors:')
  expect(faults.sort()).toEqual([
    '  - PARLEY_JWKS_ISSUER and PARLEY_JWKS_AUDIENCE must be set together with PARLEY_JWKS_URL',
    '  - PARLEY_TOKEN_SECRET: must have at least 32 characters',
    '  - PARLEY_TRUSTED_PROXIES: must be IP addresses or networks (10.0.0.0/8), separated by commas',
    '  - PARLEY_UNKNOWN is not a variable that Parley knows',
    expect.stringMatching(/^ {2}- PORT: ./),
    expect.stringMatching(/^ {2}- REDIS_URL: ./),
  ])
  expect(parley.stdout).toBe('')
  expect(await exists(directory)).toBe(false)
})

test('accepts variables that Kubernetes and Docker inject for something named parley, and refuses misspelt ones like them', () => {
  const injected = {
    PARLEY_SERVICE_HOST: '10.96.0.7',
    PARLEY_SERVICE_PORT: '4000',
    PARLEY_SERVICE_PORT_HTTP: '4000',
    PARLEY_PORT: 'tcp://10.96.0.7:4000',
    PARLEY_PORT_4000_TCP: 'tcp://10.96.0.7:4000',
    PARLEY_PORT_4000_TCP_PROTO: 'tcp',
    PARLEY_PORT_4000_TCP_PORT: '4000',
    PARLEY_PORT_4000_TCP_ADDR: '10.96.0.7',
    PARLEY_X_SERVICE_HOST: 'fd00::7',
    PARLEY_X_SERVICE_PORT_HTTP_2: '80',
    PARLEY_X_PORT: 'udp://[fd00::7]:80',
    PARLEY_X_PORT_80_UDP_ADDR: 'fd00::7',
    PARLEY_NAME: '/web/parley',
    PARLEY_ENV_NODE_VERSION: '24.0.0',
  }
  expect(faultsOf(injected)).toEqual([])
  const misspelt = {
    PARLEY_PORT: '4001',
    PARLEY_SERVICE_HOST: 'example.com',
    PARLEY_SERVICE_PORT: 'http',
    PARLEY_PORT_TCP: 'tcp://10.96.0.7:4000',
    PARLEY_NAME: '/web/parley',
    PARLEY_ENV_NODE_VERSION: '24.0.0',
    PARLEY_HOST: '10.96.0.7',
    PARLEY_TOKEN_SECRETS: 'x',
  }
  expect(faultsOf(misspelt)).toEqual(Object.keys(misspelt).map((name) => `${name} is not a variable that Parley knows`))
})

test('refuses an unusable database URL, and says what to do', () => {
  const form = 'must be a URL: postgresql://user:password@host:5432/database'
  const encode =
    'cannot be read as a URL: percent-encode special characters in the user and the password (# is %23, / is %2F, ? is %3F, @ is %40)'
  const refused = [
    ['host=db user=parley', form],
    ['mysql://db/parley', form],
    ['postgresql://parley:a#b@db/parley', encode],
    ['postgresql://parley:a/b@db/parley', encode],
    ['postgresql://a:5432,b:5432/parley', 'names several hosts: Parley needs a single address, which leads to the primary'],
    [
      'postgresql://db/parley?schema=chat',
      'asks for the schema chat, but Parley keeps its tables in the schema public: use a separate database, and remove ?schema',
    ],
  ] as const
  for (const [url, fault] of refused) expect(faultsOf({ DATABASE_URL: url })).toEqual([`DATABASE_URL: ${fault}`])
  const taken = [
    'postgresql://u:p@/db?host=/run/postgresql',
    'postgres://%2Frun%2Fpostgresql/db',
    'postgresql:///db?schema=public',
  ]
  for (const url of taken) expect(faultsOf({ DATABASE_URL: url })).toEqual([])
})

/** The errors of these settings. */
function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults
  }
}

test('refuses production without a database and a token secret, and names both', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({ NODE_ENV: 'production', PARLEY_DATA_DIR: directory, DATABASE_URL: '' })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr.trimEnd().split('\n')).toEqual([
    'The configuration has 2 errors:',
    '  - DATABASE_URL must be set in production, to the same value on every node',
    '  - PARLEY_TOKEN_SECRET must be set in production, to the same value on every node',
  ])
  expect(await exists(directory)).toBe(false)
})

test('refuses Web Push keys that are not a pair, and production without a contact address for push services', async () => {
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
    '  - PARLEY_PUSH_WEBHOOK_SECRET must be set together with PARLEY_PUSH_WEBHOOK_URL',
    '  - PARLEY_VAPID_PRIVATE_KEY is not the private key of PARLEY_VAPID_PUBLIC_KEY',
    '  - PARLEY_VAPID_SUBJECT must be set in production: push services need a contact address',
    'The configuration has 3 errors:',
  ])
})

test('reads secrets from files, and says what is wrong with a file', async () => {
  const directory = await dataDirectory()
  await mkdir(directory, { recursive: true })
  const file = path.join(directory, 'secret')
  await writeFile(file, 'the first secret of thirty-two characters, the second secret of thirty-two characters\n')
  const files = { PARLEY_TOKEN_SECRET_FILE: file }
  expect(readConfig(files).secrets.token).toEqual([
    'the first secret of thirty-two characters',
    'the second secret of thirty-two characters',
  ])
  for (const name of secretNames) {
    const other = `${file}-${name}`
    const given = { [`${name}_FILE`]: other }
    expect(faultsOf(given), name).toContain(`${name}_FILE: ${other} cannot be read: ENOENT`)
    await writeFile(other, '\n')
    expect(faultsOf(given), name).toContain(`${name}_FILE: ${other} is empty`)
    expect(faultsOf({ ...given, [name]: 'x' }), name).toContain(`${name} and ${name}_FILE must not both be set`)
  }
  expect(faultsOf({ PORT_FILE: file, PARLEY_REGION_FILE: file })).toEqual([
    'PARLEY_REGION_FILE is not a variable that Parley knows',
  ])
})

test('.env.example has every variable that Parley reads, once, and no other', async () => {
  const text = await readFile(new URL('../../.env.example', import.meta.url), 'utf8')
  const names = [...text.matchAll(/^(?:# ?)?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name)
  expect(names.toSorted()).toEqual([...variableNames].sort())
})

test('refuses a text limit that does not fit a request, and names both limits', async () => {
  const directory = await dataDirectory()
  const parley = new Parley({ PARLEY_DATA_DIR: directory, PARLEY_MESSAGE_TEXT_MAX: '20481' })
  expect(await parley.ended()).toEqual(endings.failed)
  expect(parley.stderr.trimEnd().split('\n')).toEqual([
    'The configuration has 2 errors:',
    '  - PARLEY_HTTP_BODY_BYTES_MAX must be at least 262156, so that a text of 20481 characters fits (PARLEY_MESSAGE_TEXT_MAX)',
    '  - PARLEY_SOCKET_MESSAGE_BYTES_MAX must be at least 262156, so that a text of 20481 characters fits (PARLEY_MESSAGE_TEXT_MAX)',
  ])
  expect(await exists(directory)).toBe(false)
})

test('refuses access tokens that outlive their session; equal lifetimes are allowed', () => {
  const lives = (access: string, refresh: string) => () =>
    readConfig({ PARLEY_ACCESS_TOKEN_TTL_S: access, PARLEY_REFRESH_TOKEN_TTL_S: refresh })
  expect(lives('3600', '3599')).toThrow('PARLEY_REFRESH_TOKEN_TTL_S must be at least PARLEY_ACCESS_TOKEN_TTL_S')
  expect(lives('', '899')).toThrow('PARLEY_REFRESH_TOKEN_TTL_S')
  expect(lives('3600', '3600')).not.toThrow()
})
