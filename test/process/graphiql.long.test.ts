// GraphiQL in a real browser without a network: what a user sees who opens /graphql for the first time.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Browser, chromium, type Page } from 'playwright-core'
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { closeAtEnd, createDatabase } from '../support/node.ts'
import { exists, logIn, Parley, type ServerAddress } from './parley.ts'

const run = promisify(execFile)
const executablePath = '/usr/bin/chromium'
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const offline = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'

let browser: Browser
let server: ServerAddress

beforeAll(async () => {
  if (!(await exists(executablePath))) await installChromium()
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet, offline] })
  closeAtEnd(() => browser.close())
  const environment = {
    PORT: '0',
    DATABASE_URL: await createDatabase(),
    REDIS_URL: inject('redisUrl'),
    PARLEY_TOKEN_SECRET: 'the token secret of a node with a GraphiQL',
    PARLEY_SEED: 'true',
  }
  server = await new Parley(environment, closeAtEnd).ready()
}, 300_000)

test('GraphiQL opens without a request to any other host, and its first tab logs in as it stands', async () => {
  const { page, hosts } = await openGraphiql()
  expect(await page.locator('.graphiql-tab').allInnerTexts()).toContain('Events')
  await page.getByRole('button', { name: 'Execute query' }).click()
  expect(await response(page, '"displayName":')).toMatch(/"accessToken":"[\w-]+\.[\w-]+\.[\w-]+".*"username":"alice"/)
  expect([...hosts]).toEqual([new URL(server.url).host])
})

test('one click opens another tab of GraphiQL', async () => {
  const { page } = await openGraphiql()
  await page.getByRole('button', { name: 'Events', exact: true }).click()
  await page.locator('.graphiql-tab-active', { hasText: 'Events' }).waitFor({ timeout: 5_000 })
})

test('with a token in the headers GraphiQL runs a query, and follows the events over its WebSocket', async () => {
  const { accessToken } = await logIn(server, 'alice')
  const { page, hosts, frames } = await openGraphiql()

  await openTab(page, 'FindUser')
  await giveToken(page, accessToken)
  await page.getByRole('button', { name: 'Execute query' }).click()
  expect(await response(page, 'Bob')).toContain('"viewer":{"id":"usr_0000000000001","username":"alice"}')

  await openTab(page, 'Events')
  await giveToken(page, accessToken)
  await page.getByRole('button', { name: 'Execute query' }).click()
  await expect(response(page, 'CaughtUp'), `the frames were ${frames.join('\n')}`).resolves.toContain('"data":')
  expect(frames.join('\n')).toContain('"__typename":"SyncStarted"')
  expect([...hosts]).toEqual([new URL(server.url).host])
})

/** Opens the page, and records the hosts that it contacts and the traffic of its WebSockets. */
async function openGraphiql() {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  onTestFinished(() => page.close())
  const hosts = new Set<string>()
  const frames: string[] = []
  page.on('request', (request) => {
    const { origin } = new URL(request.url())
    if (origin !== 'null') hosts.add(new URL(origin).host)
  })
  page.on('websocket', (socket) => {
    hosts.add(new URL(socket.url()).host)
    socket.on('framesent', ({ payload }) => void frames.push(`> ${payload}`))
    socket.on('framereceived', ({ payload }) => void frames.push(`< ${payload}`))
  })
  await page.goto(server.url)
  await page.locator('.graphiql-query-editor .view-line').first().waitFor()
  return { page, hosts, frames }
}

/** Opens a tab with the keyboard. */
async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.locator('.graphiql-tab-active', { hasText: name }).waitFor()
}

/** Replaces the placeholder in the headers as a user does: a double click selects it, and the token is pasted over it. */
async function giveToken(page: Page, token: string): Promise<void> {
  await page
    .locator('.graphiql-editor-tool .view-line')
    .getByText('PASTE_AN')
    .dblclick({ position: { x: 150, y: 5 } })
  await page.keyboard.insertText(token)
  await page.locator('.graphiql-editor-tool .view-line').getByText(token.slice(-12)).waitFor()
}

/** The response pane once it shows this text, without white space. */
async function response(page: Page, text: string): Promise<string> {
  const pane = page.locator('.graphiql-response')
  await pane
    .getByText(text)
    .first()
    .waitFor({ timeout: 5_000 })
    .catch(() => undefined)
  const shown = ((await pane.textContent()) ?? '').replaceAll(/\s/g, '')
  expect(shown).toContain(text)
  return shown
}

/** Installs the Debian package, if possible. */
async function installChromium(): Promise<void> {
  const canInstall = process.getuid?.() === 0 && (await run('which', ['apt-get']).catch(() => null)) !== null
  if (!canInstall) throw new Error(`The tests of GraphiQL need Chromium at ${executablePath} (apt install chromium).`)
  process.stdout.write('The tests need a browser: installing the Debian package chromium.\n')
  const environment = { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } }
  await run('apt-get', ['update', '-q'], environment)
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], environment)
}
