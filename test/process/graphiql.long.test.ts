// GraphiQL in a real browser without a network: what a user sees who opens /graphql for the first time.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Browser, chromium, type Page, type Response } from 'playwright-core'
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { StartDirectConversation } from '../support/documents.ts'
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
  await execute(page)
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
  await execute(page)
  expect(await response(page, 'Bob')).toContain('"viewer":{"id":"usr_0000000000001","username":"alice"}')

  await openTab(page, 'Events')
  await giveToken(page, accessToken)
  await execute(page)
  await expect(response(page, 'CaughtUp'), `the frames were ${frames.join('\n')}`).resolves.toContain('"data":')
  expect(frames.join('\n')).toContain('"__typename":"SyncStarted"')
  expect([...hosts]).toEqual([new URL(server.url).host])
})

test('two windows chat as the README says, and the one that was stopped resumes from its cursor', {
  timeout: 90_000,
}, async () => {
  const [alice, bob] = await Promise.all([logIn(server, 'alice'), logIn(server, 'bob')])
  const { startDirectConversation } = await alice.run(StartDirectConversation, { input: { userId: bob.userId } })
  const [hers, his] = [await openGraphiql(), await openGraphiql()]
  await openTab(hers.page, 'Events')
  await giveToken(hers.page, alice.accessToken)
  await execute(hers.page)
  await response(hers.page, 'CaughtUp')

  await openTab(his.page, 'SendMessage')
  await giveToken(his.page, bob.accessToken)
  const conversationId = startDirectConversation.conversation.id
  const write = (number: number) => {
    const clientMessageId = `0199f3a0-0000-7000-8000-00000000000${number}`
    return giveVariables(his.page, { input: { conversationId, clientMessageId, text: 'Hello from GraphiQL' } })
  }
  const send = async (): Promise<string> => {
    const isAnswer = (answer: Response) => answer.request().postData()?.includes('mutation SendMessage') ?? false
    const [answer] = await Promise.all([his.page.waitForResponse(isAnswer), execute(his.page)])
    const { data, errors } = (await answer.json()) as { data?: { sendMessage: { message: { id: string } } }; errors?: unknown }
    if (!data) throw new Error(`${JSON.stringify(errors)} for ${answer.request().postData()}`)
    return data.sendMessage.message.id
  }
  await write(1)
  const first = await send()
  const shown = await response(hers.page, 'MessageSent')
  const heard = (frames: readonly string[]) => frames.filter((frame) => frame.includes('"MessageSent"')).length
  // The same again: bob gets the same message, and alice hears nothing.
  expect(await send()).toBe(first)

  const cursor = /"cursor":"([\w-]+)"/.exec(shown)?.[1] ?? ''
  await hers.page.getByRole('button', { name: 'Stop query' }).click()
  expect(heard(hers.frames)).toBe(1)
  await write(2)
  await send()
  await write(3)
  await send()
  const mark = hers.frames.length
  await giveVariables(hers.page, { after: cursor })
  await execute(hers.page)
  expect(await response(hers.page, 'CaughtUp')).toContain('"count":2')
  expect(heard(hers.frames.slice(mark))).toBe(2)
  // It is live again.
  await write(4)
  await send()
  await response(hers.page, 'MessageSent')
  expect(heard(hers.frames.slice(mark))).toBe(3)
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

/** Pastes variables over those that are there. */
async function giveVariables(page: Page, variables: object): Promise<void> {
  // A click on the button of the pane that is open closes it.
  const pane = page.getByRole('button', { name: 'Variables', exact: true })
  if (!(await pane.getAttribute('class'))?.includes('active')) await pane.click()
  await page.locator('.graphiql-editor-tool .view-lines').filter({ visible: true }).first().click()
  await page.keyboard.press('Control+A')
  await page.keyboard.insertText(JSON.stringify(variables))
  // The editor has closed what it took for an open quote and brace.
  await page.keyboard.press('Control+Shift+End')
  await page.keyboard.press('Delete')
}

const execute = (page: Page) => page.getByRole('button', { name: 'Execute query' }).click()

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
