// The page at `/` in a real browser: two users chat in two tabs, and messages written while the node is away are sent once when
// it is back.

import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import axe, { type AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd, createDatabase } from '../support/node.ts'
import { Parley, type ServerAddress } from './parley.ts'

const run = promisify(execFile)
/** The delay of a request on the slow network. */
const slowMs = 500
const executablePath = '/usr/bin/chromium'
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const offline = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'

let browser: Browser
let node: Parley
let server: ServerAddress
let environment: Record<string, string>

beforeAll(async () => {
  await run('npm', ['run', 'build:page', '--silent'], { cwd: fileURLToPath(new URL('../..', import.meta.url)) })
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet, offline] })
  closeAtEnd(() => browser.close())
  environment = {
    ...(await address()),
    DATABASE_URL: await createDatabase(),
    REDIS_URL: inject('redisUrl'),
    PARLEY_TOKEN_SECRET: 'the token secret of a node with a page',
    PARLEY_SEED: 'true',
  }
  node = new Parley(environment, closeAtEnd)
  server = await node.ready()
}, 120_000)

/** A free port, and the address of the page that the gateway reports, so that the browser may connect to it. */
async function address() {
  const port = await findFreePort()
  return { PORT: String(port), PARLEY_PUBLIC_URL: `ws://localhost:${port}/graphql` }
}

const home = () => new URL('/', server.url).href

/** Opens the page in a separate browser context; keeps its complaints. */
async function open(at = home()): Promise<{ page: Page; complaints: string[]; hosts: Set<string> }> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  const hosts = new Set<string>()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (line) => {
    if (/content security|refused to/i.test(line.text())) complaints.push(line.text())
  })
  page.on('request', (request) => {
    const { origin } = new URL(request.url())
    if (origin !== 'null') hosts.add(new URL(origin).host)
  })
  await page.goto(at)
  return { page, complaints, hosts }
}

async function enter(page: Page, username: string, how: 'Log in' | 'Sign up' = 'Log in'): Promise<void> {
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill('password')
  await page.getByRole('button', { name: how }).click()
  await live(page)
}

const live = (page: Page) => page.locator('[data-status=LIVE]').waitFor()
const write = async (page: Page, text: string) => {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}
const sent = (page: Page, text: string) => page.locator('main li:not(.pending)', { hasText: text })
const pending = (page: Page, text: string) => page.locator('main li.pending', { hasText: text })

/** The access token that a page stores. `isEnded` makes the page believe that it has expired. */
function token(page: Page, isEnded = false): Promise<string> {
  return page.evaluate(
    ([ended]) =>
      new Promise<string>((resolve) => {
        const opening = indexedDB.open(`parley-login-${localStorage.getItem('parley.user')}`)
        opening.onsuccess = () => {
          const kept = opening.result.transaction('kept', 'readwrite').objectStore('kept')
          const asked = kept.get(1)
          asked.onsuccess = () => {
            if (ended) kept.put({ ...asked.result, expiresAt: new Date(0).toISOString() }, 1)
            opening.result.close()
            resolve(asked.result.accessToken)
          }
        }
      }),
    [isEnded] as const,
  )
}

/** The unread counts of the conversations of the page's user. */
async function unread(page: Page): Promise<number[]> {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await token(page)}` },
    body: JSON.stringify({ query: '{ conversations(first: 10) { nodes { unreadCount } } }' }),
  })
  const { data } = (await response.json()) as { data: { conversations: { nodes: { unreadCount: number }[] } } }
  return data.conversations.nodes.map(({ unreadCount }) => unreadCount)
}

async function start(page: Page, username: string): Promise<void> {
  await page.getByLabel('Start a conversation with').fill(username)
  await page.getByRole('button', { name: 'Start' }).click()
  await page.locator('main form').waitFor()
}

test('D2 D3 D9 alice and bob chat in two tabs; a message written while the node is down is sent once when it is back, also after a reload', async () => {
  const [alice, bob] = [await open(), await open()]
  await enter(alice.page, 'alice')
  await enter(bob.page, 'bob')
  await start(alice.page, 'bob')
  await write(alice.page, 'Hello Bob')
  await sent(alice.page, 'Hello Bob').waitFor()
  await bob.page.getByRole('button', { name: 'Alice' }).click()
  await sent(bob.page, 'Hello Bob').waitFor()
  // What bob sees is marked as read, although he typed nothing.
  await expect.poll(() => unread(bob.page)).toEqual([0, 0])
  await bob.page.getByLabel('Message', { exact: true }).pressSequentially('Greetings')
  await alice.page.getByText('Bob writing…').waitFor()
  await bob.page.keyboard.press('Enter')
  await sent(alice.page, 'Greetings').waitFor()

  node.kill('SIGKILL')
  await node.ended()
  await alice.page.locator('[data-status=WAITING], [data-status=CONNECTING]').waitFor()
  await write(alice.page, 'Are you there?')
  await write(alice.page, '<b>Anybody</b>?')
  await pending(alice.page, '<b>Anybody</b>?').waitFor()
  expect(await pending(alice.page, '').count()).toBe(2)

  node = new Parley(environment, closeAtEnd)
  await node.ready()
  await alice.page.reload()
  await live(alice.page)
  await alice.page.getByRole('button', { name: 'Bob' }).click()
  for (const { page } of [bob, alice]) {
    await sent(page, '<b>Anybody</b>?').waitFor({ timeout: 20_000 })
    // Three are there from the start.
    await expect.poll(() => page.locator('main li').allInnerTexts()).toHaveLength(3 + 4)
    const texts = await page.locator('main li').evaluateAll((items) => items.map((item) => item.firstChild?.textContent))
    expect(texts.slice(3)).toEqual(['Hello Bob', 'Greetings', 'Are you there?', '<b>Anybody</b>?'])
  }
  expect([...alice.complaints, ...bob.complaints]).toEqual([])
  expect([...alice.hosts]).toEqual([new URL(home()).host])
}, 90_000)

test('two tabs of one user share a log-in, which they refresh in turn, and an outbox; logging out in one ends both', async () => {
  const { url } = await new Parley({ ...environment, ...(await address()), PARLEY_ACCESS_TOKEN_TTL_S: '4' }).ready()
  const { page } = await open(new URL('/', url).href)
  await enter(page, 'erin', 'Sign up')
  const second = await page.context().newPage()
  await second.goto(page.url())
  await live(second)
  await start(second, 'carol')
  await page.getByRole('button', { name: 'Carol' }).click()
  await page.context().setOffline(true)
  await write(page, 'from one')
  await write(second, 'from the other')
  await page.context().setOffline(false)
  for (const tab of [page, second]) {
    await sent(tab, 'from one').waitFor({ timeout: 20_000 })
    await sent(tab, 'from the other').waitFor({ timeout: 20_000 })
    await expect.poll(() => tab.locator('main li').count()).toBe(2)
  }
  const tokens = new Set<string>()
  await expect.poll(async () => tokens.add(await token(page)).size, { timeout: 20_000 }).toBeGreaterThan(3)
  for (const tab of [page, second]) await live(tab)
  await page.getByRole('button', { name: 'Log out' }).click()
  for (const tab of [page, second]) await tab.getByRole('button', { name: 'Sign up' }).waitFor()
}, 60_000)

test('two tabs opened at once over a slow network refresh an expired token in turn, and stay logged in', async () => {
  const { page } = await open()
  await enter(page, 'frank', 'Sign up')
  await page.goto('about:blank')
  const second = await page.context().newPage()
  let refreshes = 0
  await page.context().route('**/graphql', async (route) => {
    if (route.request().postData()?.includes('RefreshSession')) {
      refreshes += 1
      await delay(slowMs)
    }
    await route.continue()
  })
  await second.goto(new URL('/health/live', home()).href)
  await token(second, true)
  await Promise.all([page.goto(home()), second.goto(home())])
  await Promise.all([live(page), live(second)])
  // A token used twice would have ended the session. On a busy machine each of the two may refresh once.
  expect(refreshes).toBeGreaterThanOrEqual(1)
  expect(refreshes).toBeLessThanOrEqual(2)
})

test('the page works on a phone, and says what is wrong with a log-in', async () => {
  const { page } = await open()
  await page.setViewportSize({ width: 360, height: 640 })
  await page.getByLabel('Username').fill('dan')
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page
    .getByRole('alert')
    .getByText(/password/i)
    .waitFor()
  await enter(page, 'dan')
  await start(page, 'carol')
  await write(page, 'from a phone')
  await sent(page, 'from a phone').waitFor()
  // A text typed for carol stays with carol.
  await page.getByLabel('Message', { exact: true }).fill('for carol alone')
  await page.getByRole('button', { name: '‹ All' }).click()
  await start(page, 'alice')
  expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('')
  await page.getByRole('button', { name: '‹ All' }).click()
  await page.getByRole('button', { name: 'Carol' }).click()
  expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('for carol alone')
  expect(await page.getByRole('navigation').isVisible()).toBe(false)
  await page.getByRole('button', { name: '‹ All' }).click()
  expect(await page.getByRole('navigation').isVisible()).toBe(true)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
})

test('a text is shown in the direction of its letters, a long title fits, and what is being sent says so', async () => {
  const { page } = await open()
  await page.setViewportSize({ width: 360, height: 640 })
  await enter(page, 'carol')
  await start(page, 'bob')
  const directions = () =>
    page.locator('main li, main h2, main textarea').evaluateAll((all) => all.map((one) => one.getAttribute('dir')))
  expect(new Set(await directions())).toEqual(new Set(['auto']))
  await page.locator('main h2').evaluate((title) => {
    title.textContent = 'W'.repeat(120)
  })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await page.route('**/graphql', async (route) => {
    if (route.request().postData()?.includes('sendMessage')) await held
    await route.continue()
  })
  await write(page, 'held back')
  await page.getByText('Sending 1…').waitFor()
  release()
  await sent(page, 'held back').waitFor()
  await page.locator('[data-status=LIVE]').waitFor()
})

/** The violations that axe-core finds on the current page, of any impact. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations, passes } = await page.evaluate<AxeResults>('axe.run()')
  expect(passes.length).toBeGreaterThan(10)
  return violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html }) => `${impact} ${id}: ${html}`))
}

test('axe-core finds no accessibility violation: at the log-in, in a conversation, in dark mode, and on a phone', async () => {
  const { page } = await open()
  const found = { login: await faults(page) } as Record<string, string[]>
  await enter(page, 'gwen', 'Sign up')
  found.empty = await faults(page)
  await start(page, 'carol')
  await write(page, 'look at this')
  await sent(page, 'look at this').waitFor()
  await page.context().setOffline(true)
  await write(page, 'not sent yet')
  await pending(page, 'not sent yet').waitFor()
  found.conversation = await faults(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  found.dark = await faults(page)
  await page.setViewportSize({ width: 360, height: 640 })
  found.phone = await faults(page)
  expect(found).toEqual({ login: [], empty: [], conversation: [], dark: [], phone: [] })
})

test('the page is one file that may load nothing else, and is sent again only if it has changed', async () => {
  const response = await fetch(home())
  const [etag, policy] = [response.headers.get('etag') ?? '', response.headers.get('content-security-policy') ?? '']
  expect(response.status).toBe(200)
  expect(policy).toContain("default-src 'none'; script-src 'sha256-")
  expect(policy).not.toContain('unsafe')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(await response.text()).toContain('<title>Parley</title>')
  const again = await fetch(home(), { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
  const head = await fetch(home(), { method: 'HEAD' })
  expect([head.status, head.headers.get('etag')]).toEqual([200, etag])
  expect((await fetch(home(), { method: 'POST' })).status).toBe(404)
  expect((await fetch(new URL('/nothing', home()))).status).toBe(404)
})
