// A node with the web client, and a browser, for the tests of a file; and conversations with a past, which `parley import` brings.
// `npm run test:long` builds the client first.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { inject } from 'vitest'
import { keepLogin } from '../../scripts/keep-login.ts'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd, createDatabase, type Environment } from '../support/node.ts'
import { launch, live, openPage } from './page.ts'
import { Parley } from './parley.ts'

/** A served web client. */
export type Site = Awaited<ReturnType<typeof openSite>>

/** Starts a node and a browser for all tests of a file. */
export async function openSite(more: Environment = {}) {
  const browser = await launch()
  closeAtEnd(() => browser.close())
  const port = await findFreePort()
  const environment: Environment = {
    PORT: String(port),
    // The browser may connect to the address of the page alone.
    PARLEY_PUBLIC_URL: `ws://localhost:${port}/graphql`,
    DATABASE_URL: await createDatabase(),
    REDIS_URL: inject('redisUrl'),
    PARLEY_TOKEN_SECRET: 'the token secret of a node with a page',
    PARLEY_SEED: 'true',
    ...more,
  }
  const node = new Parley(environment, closeAtEnd)
  const { url } = await node.ready()
  const home = new URL('/', url).href
  return { browser, environment, url, home, open: (locale?: string) => openPage(browser, home, locale) }
}

/** Runs a command of the operator. @returns its output */
export async function operate({ environment }: Site, ...args: readonly string[]): Promise<string> {
  const command = new Parley(environment, closeAtEnd, 'parley', args)
  const { code } = await command.ended()
  if (code !== 0) throw new Error(`parley ${args[0]}: ${command.stderr}`)
  return command.stdout.trimEnd()
}

/**
 * Imports people and what they wrote. The lines are those of docs/platform.md.
 * @returns a function that logs in one of the people on a page, with a session as the backend of a product opens it
 */
export async function importLines(site: Site, lines: readonly object[]) {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'parley-import-'))
  closeAtEnd(() => rm(directory, { recursive: true }))
  const [file, keyFile] = [path.join(directory, 'lines'), path.join(directory, 'key')]
  const key = await operate(site, 'server-keys', 'create', 'import', '--scopes', 'users,import')
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'))
  await writeFile(keyFile, key)
  await operate(site, 'import', file, '--key-file', keyFile, '--url', site.url)
  const ask = async <Data>(query: string, input: object): Promise<Data> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    const response = await fetch(site.url, { method: 'POST', headers, body: JSON.stringify({ query, variables: { input } }) })
    const { data, errors } = (await response.json()) as { data: Data; errors?: readonly { message: string }[] }
    if (errors) throw new Error(errors[0]?.message)
    return data
  }
  return async (page: Page, externalId: string) => {
    const upsert = 'mutation ($input: UpsertUsersInput!) { upsertUsers(input: $input) { users { id } } }'
    const { upsertUsers } = await ask<{ upsertUsers: { users: { id: string }[] } }>(upsert, { users: [{ externalId }] })
    const userId = upsertUsers.users[0]?.id ?? ''
    const issue = 'mutation ($input: IssueSessionInput!) { issueSession(input: $input) { accessToken refreshToken expiresAt } }'
    const { issueSession } = await ask<{ issueSession: object }>(issue, { userId, deviceName: 'Web' })
    await page.evaluate(keepLogin, { userId, credentials: issueSession })
    await page.reload()
    await live(page)
  }
}

/** Two people, and a conversation of theirs with many messages: one for each hour, the last one an hour ago. */
export function longConversation(count: number): readonly object[] {
  const hourMs = 3_600_000
  const start = Date.now() - count * hourMs
  const words = 'The boats come in at four and the market opens at six so we have time for a long walk along the shore'.split(' ')
  return [
    { type: 'user', id: 'quill', username: 'quill', displayName: 'Quill' },
    { type: 'user', id: 'rosa', username: 'rosa', displayName: 'Rosa' },
    { type: 'conversation', id: 'shore', title: 'Shore', members: [{ id: 'quill', role: 'OWNER' }, { id: 'rosa' }] },
    ...Array.from({ length: count }, (_, i) => ({
      type: 'message',
      id: `m${i + 1}`,
      conversation: 'shore',
      sender: i % 3 === 0 ? 'quill' : 'rosa',
      text: `${i + 1}: ${words.slice(0, 3 + ((i * 7) % (words.length - 3))).join(' ')}`,
      createdAt: new Date(start + i * hourMs).toISOString(),
    })),
  ]
}
