// The web client at `/` in a real browser: two people chat, through lost networks and dead nodes; its features, its accessibility,
// and how it is served. `npm run test:long` builds it first.

import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { beforeAll, expect, inject, test } from 'vitest'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd, createDatabase } from '../support/node.ts'
import {
  act,
  choose,
  command,
  faults,
  kept,
  launch,
  live,
  logIn,
  openPage,
  pending,
  sent,
  signUp,
  start,
  texts,
  token,
  write,
} from './page.ts'
import { Parley, type ServerAddress } from './parley.ts'

const root = new URL('../..', import.meta.url)
/** The delay of a request on the slow network. */
const slowMs = 500
/** The most compressed JavaScript of the first view, in bytes. */
const scriptBytesMax = 150_000

let browser: Browser
let node: Parley
let server: ServerAddress
let environment: Record<string, string>

beforeAll(async () => {
  browser = await launch()
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
const open = (at = home(), locale?: string) => openPage(browser, at, locale)

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

test('D2 D3 D9 alice and bob chat; messages written offline and while the node is down are sent once, also after a reload', async () => {
  const [alice, bob] = [await open(), await open()]
  await logIn(alice.page, 'alice')
  await logIn(bob.page, 'bob')
  await start(alice.page, 'bob')
  await write(alice.page, 'Hello Bob')
  await sent(alice.page, 'Hello Bob').waitFor()
  await choose(bob.page, 'Alice')
  await sent(bob.page, 'Hello Bob').waitFor()
  // What bob sees is marked as read, although he typed nothing.
  await expect.poll(async () => (await unread(bob.page))[0]).toBe(0)
  await sent(alice.page, 'Hello Bob').getByRole('img', { name: 'Read' }).waitFor()
  await bob.page.getByLabel('Message', { exact: true }).pressSequentially('Greetings')
  await alice.page.getByText('Bob writing…').waitFor()
  await bob.page.keyboard.press('Enter')
  await sent(alice.page, 'Greetings').waitFor()

  await bob.page.context().setOffline(true)
  await bob.page.getByText('No connection').waitFor()
  await write(bob.page, 'from the tunnel')
  await pending(bob.page, 'from the tunnel').waitFor()
  await write(alice.page, 'while you were away')
  await sent(alice.page, 'while you were away').waitFor()
  await bob.page.context().setOffline(false)
  for (const { page } of [alice, bob]) {
    await sent(page, 'while you were away').waitFor({ timeout: 40_000 })
    await sent(page, 'from the tunnel').waitFor({ timeout: 40_000 })
  }

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
  const written = ['Hello Bob', 'Greetings', 'while you were away', 'from the tunnel', 'Are you there?', '<b>Anybody</b>?']
  for (const { page } of [bob, alice]) {
    await sent(page, '<b>Anybody</b>?').waitFor({ timeout: 40_000 })
    // Three are there from the start.
    await expect.poll(async () => (await texts(page)).slice(3)).toEqual(written)
  }
  expect([...alice.complaints, ...bob.complaints]).toEqual([])
  expect([...alice.hosts]).toEqual([new URL(home()).host])
}, 150_000)

test('two tabs of one user share a log-in, which they refresh in turn, and an outbox; logging out in one ends both', async () => {
  const { url } = await new Parley({ ...environment, ...(await address()), PARLEY_ACCESS_TOKEN_TTL_S: '4' }).ready()
  const { page } = await open(new URL('/', url).href)
  await signUp(page, 'erin')
  const second = await page.context().newPage()
  await second.goto(page.url())
  await live(second)
  await start(second, 'carol')
  await choose(page, 'Carol')
  await page.context().setOffline(true)
  await write(page, 'from one')
  await write(second, 'from the other')
  await page.context().setOffline(false)
  // A request that was under way ends after 15 s, and the pause after it takes up to 30 s.
  for (const tab of [page, second]) {
    await sent(tab, 'from one').waitFor({ timeout: 60_000 })
    await sent(tab, 'from the other').waitFor({ timeout: 60_000 })
    await expect.poll(() => tab.locator('.message').count()).toBe(2)
  }
  const tokens = new Set<string>()
  await expect.poll(async () => tokens.add(await token(page)).size, { timeout: 20_000 }).toBeGreaterThan(3)
  for (const tab of [page, second]) await live(tab)
  await command(page, 'navigation', 'Log out')
  for (const tab of [page, second]) await tab.getByRole('button', { name: 'Log in' }).waitFor()
}, 180_000)

test('two tabs opened at once over a slow network refresh an expired token in turn, and stay logged in', async () => {
  const { page } = await open()
  await signUp(page, 'frank')
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

test('a session that was ended on another device shows the log-in with a sentence, and nothing stays of it', async () => {
  const [one, other] = [await open(), await open()]
  await logIn(one.page, 'dan')
  await logIn(other.page, 'dan')
  const userId = await one.page.evaluate(() => localStorage.getItem('parley.user'))
  await expect.poll(() => kept(one.page, `parley-store-${userId}`), { timeout: 20_000 }).toBe(true)
  await command(other.page, 'navigation', 'Devices')
  await other.page.getByRole('button', { name: 'End all others' }).click()
  await one.page.getByText('This session was ended on another device').waitFor()
  await expect.poll(() => one.page.getByRole('button', { name: 'Log in' }).isVisible()).toBe(true)
  await other.page.getByRole('button', { name: 'End all others' }).waitFor({ state: 'hidden' })
  for (const what of ['store', 'login'])
    await expect.poll(() => kept(one.page, `parley-${what}-${userId}`), { message: what }).toBe(false)
  await logIn(one.page, 'dan')
})

test('the page works on a phone, keeps each text where it was written, and says what is wrong with a log-in', async () => {
  const { page } = await open()
  await page.setViewportSize({ width: 360, height: 640 })
  await page.getByLabel('Username').fill('dan')
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('alert').getByText('The username or the password is wrong.').waitFor()
  await logIn(page, 'dan')
  await start(page, 'carol')
  await write(page, `from a phone ${'W'.repeat(120)}`)
  await sent(page, 'from a phone').waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  expect(
    await page.locator('.text, main h1, main textarea').evaluateAll((all) => all.map((one) => one.getAttribute('dir'))),
  ).toEqual(['auto', 'auto', 'auto'])
  await page.getByLabel('Message', { exact: true }).fill('for carol alone')
  await page.getByRole('button', { name: 'All conversations' }).click()
  await start(page, 'alice')
  expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('')
  await page.getByRole('button', { name: 'All conversations' }).click()
  await choose(page, 'Carol')
  expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('for carol alone')
  expect(await page.getByRole('navigation').isVisible()).toBe(false)
  await page.goBack()
  expect(await page.getByRole('navigation').isVisible()).toBe(true)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
})

test('messages are answered, changed, deleted and found; pictures are sent; history loads without a jump', async () => {
  const [hana, carol] = [await open(), await open()]
  await signUp(hana.page, 'hana')
  await logIn(carol.page, 'carol')
  await start(hana.page, 'carol')
  for (let n = 1; n <= 70; n += 1) await write(hana.page, `line ${n} of many`)
  await sent(hana.page, 'line 70 of many').waitFor({ timeout: 60_000 })
  await choose(carol.page, 'hana')
  await carol.page.getByText('New messages').or(carol.page.getByText('First unread message')).first().waitFor()
  const { before, after } = await loadOlder(carol.page)
  expect(Math.abs(after - before)).toBeLessThan(2)
  await act(hana.page, 'line 70 of many', 'Reply')
  await write(hana.page, 'an answer')
  await sent(hana.page, 'an answer').getByText('line 70 of many').waitFor()
  await act(hana.page, 'an answer', 'Edit')
  await write(hana.page, 'a better answer')
  await sent(hana.page, 'a better answer').getByText('edited').waitFor()
  await act(hana.page, 'line 69 of many', 'Delete')
  await hana.page.getByText('This message was deleted.').waitFor()
  await act(hana.page, 'a better answer', 'React 👍')
  await sent(hana.page, 'a better answer').getByRole('button', { name: '👍, 1' }).waitFor()
  const picture = await readFile(new URL('docs/picture.png', root)).catch(() => hana.page.screenshot())
  await hana.page.setInputFiles('input[type=file]', { name: 'view.png', mimeType: 'image/png', buffer: picture })
  await write(hana.page, 'a picture')
  await carol.page.getByRole('button', { name: 'Newest messages' }).click()
  await expect
    .poll(() => carol.page.getByAltText('view.png').evaluate((image) => (image as HTMLImageElement).naturalWidth), {
      timeout: 20_000,
    })
    .toBeGreaterThan(0)

  await hana.page.getByLabel('Search messages').fill('line 12 of')
  await hana.page.getByRole('button', { name: /line 12 of many/ }).click()
  await expect.poll(() => sent(hana.page, 'line 12 of many').evaluate(isInView)).toBe(true)
  await hana.page.getByRole('button', { name: 'Newest messages' }).click()
  await expect.poll(() => sent(hana.page, 'a picture').evaluate(isInView)).toBe(true)
  await hana.page.reload()
  await sent(hana.page, 'a picture').waitFor()
  expect([...hana.complaints, ...carol.complaints]).toEqual([])
}, 120_000)

/** Scrolls to the oldest loaded message. @returns where it is in the window, before and after older ones were loaded */
async function loadOlder(page: Page): Promise<{ before: number; after: number }> {
  const count = await page.locator('.message').count()
  const oldest = await page.locator('.scroll').evaluateHandle((box) => {
    box.scrollTop = -box.scrollHeight
    return box.querySelector('.message')
  })
  const top = () => oldest.evaluate((row) => row?.getBoundingClientRect().top ?? 0)
  const before = await top()
  await expect.poll(() => page.locator('.message').count()).toBeGreaterThan(count)
  return { before, after: await top() }
}

const isInView = (element: Element) => {
  const { top, bottom } = element.getBoundingClientRect()
  return top >= 0 && bottom <= innerHeight
}

test('a refused message says so, and can be sent again or discarded', async () => {
  const { page } = await open()
  await signUp(page, 'kim')
  await start(page, 'carol')
  const refusal = { errors: [{ message: 'No.', extensions: { code: 'FORBIDDEN', retryable: false } }] }
  await page.route('**/graphql', (route) =>
    route.request().postData()?.includes('sendMessage') ? route.fulfill({ json: refusal }) : route.continue(),
  )
  await write(page, 'first')
  await write(page, 'second')
  const failed = page.locator('.message.failed')
  await expect.poll(() => failed.count()).toBe(2)
  await failed.filter({ hasText: 'second' }).getByRole('button', { name: 'Discard' }).click()
  await expect.poll(() => failed.count()).toBe(1)
  await page.unrouteAll()
  await failed.getByRole('button', { name: 'Send again' }).click()
  await sent(page, 'first').waitFor()
  expect(await texts(page)).toEqual(['first'])
})

test('a group has members, roles and an invite, which another person follows; one can leave it', async () => {
  const [ines, jon] = [await open(), await open()]
  await signUp(ines.page, 'ines')
  await ines.page.getByRole('button', { name: 'New conversation' }).click()
  await ines.page.getByLabel('Title').fill('Garden')
  await ines.page.getByLabel('Usernames, separated by commas').fill('carol')
  await ines.page.getByRole('button', { name: 'Create group' }).click()
  await command(ines.page, 'main', 'Details')
  const dialog = ines.page.getByRole('dialog')
  await dialog.getByLabel('Add by username').fill('bob')
  await dialog.getByRole('button', { name: 'Add', exact: true }).click()
  await dialog.getByLabel('Role: Bob').selectOption('Admin')
  await expect.poll(() => dialog.getByLabel('Role: Bob').inputValue()).toBe('ADMIN')
  await dialog.getByRole('button', { name: 'Remove: Carol' }).click()
  await dialog.getByLabel('Role: Carol').waitFor({ state: 'hidden' })
  await dialog.getByRole('button', { name: 'Create an invite link' }).click()
  const invite = await dialog.locator('code').textContent()
  await signUp(jon.page, 'jon')
  await jon.page.goto(`${home()}#/invite/${invite}`)
  await jon.page.getByRole('button', { name: 'Join' }).click()
  await jon.page.getByRole('heading', { name: 'Garden' }).waitFor()
  await dialog.getByLabel('Role: jon').waitFor()
  await command(jon.page, 'main', 'Details')
  await jon.page.getByRole('button', { name: 'Leave group' }).click()
  await jon.page.getByText('No conversations yet.').waitFor()
  await dialog.getByLabel('Role: jon').waitFor({ state: 'hidden' })
})

test('one mutes, archives, names oneself, makes contacts and blocks people', async () => {
  const [lea, max] = [await open(), await open()]
  await signUp(lea.page, 'lea')
  await signUp(max.page, 'max')
  await command(lea.page, 'navigation', 'Profile')
  await lea.page.getByLabel('Name', { exact: true }).fill('Lea Sol')
  await lea.page.getByRole('button', { name: 'Save' }).click()
  await lea.page.getByText('Saved').waitFor()
  await lea.page.keyboard.press('Escape')
  await lea.page.getByRole('heading', { name: 'Lea Sol' }).waitFor()
  await start(lea.page, 'max')
  await command(lea.page, 'main', 'Mute')
  await lea.page.getByRole('navigation').getByRole('img', { name: 'Muted' }).waitFor()
  await command(lea.page, 'main', 'Archive')
  await lea.page.locator('.row').waitFor({ state: 'hidden' })
  await lea.page.getByRole('button', { name: 'Archived' }).click()
  await lea.page.locator('.row').waitFor()

  await command(lea.page, 'navigation', 'Contacts')
  await lea.page.getByRole('dialog').getByLabel('Username').fill('max')
  await lea.page.getByRole('button', { name: 'Add contact' }).click()
  await command(max.page, 'navigation', 'Contacts')
  await max.page.getByRole('button', { name: 'Accept: Lea Sol' }).click()
  await lea.page.getByRole('button', { name: 'Block: max' }).click()
  await lea.page.getByRole('button', { name: 'Unblock: max' }).waitFor()
  await lea.page.keyboard.press('Escape')
  await lea.page.getByText('Nobody can write here at the moment.').waitFor()
  expect([...lea.complaints, ...max.complaints]).toEqual([])
})

test('axe-core finds no accessibility violation: at the log-in, in a conversation, a dialog, in dark mode, and on a phone', async () => {
  const { page } = await open()
  const found = { login: await faults(page) } as Record<string, string[]>
  await page.emulateMedia({ colorScheme: 'dark' })
  found.darkLogin = await faults(page)
  await page.emulateMedia({ colorScheme: 'light' })
  await signUp(page, 'gwen')
  found.empty = await faults(page)
  await start(page, 'carol')
  await write(page, 'look at this')
  await sent(page, 'look at this').waitFor()
  await act(page, 'look at this', 'React 🎉')
  await command(page, 'navigation', 'Contacts')
  found.dialog = await faults(page)
  await page.keyboard.press('Escape')
  await page.context().setOffline(true)
  await write(page, 'not sent yet')
  await pending(page, 'not sent yet').waitFor()
  found.conversation = await faults(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  found.dark = await faults(page)
  await page.setViewportSize({ width: 360, height: 640 })
  found.phone = await faults(page)
  const none = { login: [], darkLogin: [], empty: [], dialog: [], conversation: [], dark: [], phone: [] }
  expect(found).toEqual(none)
})

test('the interface speaks Korean to a Korean browser', async () => {
  const { page } = await open(home(), 'ko-KR')
  await page.getByRole('button', { name: '로그인' }).waitFor()
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('ko')
})

test('the page may load nothing but its own files, which are compressed, kept for ever, and within the budget', async () => {
  const response = await fetch(home())
  const [etag, policy] = [response.headers.get('etag') ?? '', response.headers.get('content-security-policy') ?? '']
  expect(response.status).toBe(200)
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: https: http:;")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  const html = await response.text()
  expect(html).toContain('<title>Parley</title>')
  const again = await fetch(home(), { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
  const head = await fetch(home(), { method: 'HEAD' })
  expect([head.status, head.headers.get('etag')]).toEqual([200, etag])
  expect((await fetch(home(), { method: 'POST' })).status).toBe(404)
  expect((await fetch(new URL('/nothing', home()))).status).toBe(404)
  expect((await fetch(new URL('/assets/nothing.js', home()))).status).toBe(404)

  const scripts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, at = '']) => new URL(at, home()))
  const sizes = { br: 0, gzip: 0, identity: 0 }
  for (const script of scripts) {
    for (const encoding of ['br', 'gzip', 'identity'] as const) {
      const { headers } = await fetch(script, { method: 'HEAD', headers: { 'accept-encoding': encoding } })
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8')
      expect(headers.get('content-encoding')).toBe(encoding === 'identity' ? null : encoding)
      sizes[encoding] += Number(headers.get('content-length'))
    }
  }
  expect(scripts.length).toBeGreaterThan(0)
  expect(sizes.identity).toBeGreaterThan(sizes.gzip)
  expect(sizes.gzip).toBeLessThanOrEqual(scriptBytesMax)
  expect(sizes.br).toBeLessThan(sizes.gzip)
})
