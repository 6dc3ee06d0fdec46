// A browser with the web client of a node, for page.long.test.ts: opens pages, logs in, and does what people do there.

import axe, { type AxeResults } from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

const executablePath = '/usr/bin/chromium'
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
const offline = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'

/** A page in a context of its own, with what it complained about, and the hosts that it talked to. */
export type OpenedPage = { readonly page: Page; readonly complaints: string[]; readonly hosts: Set<string> }

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet, offline] })

/** Opens an address in a separate browser context. */
export async function openPage(browser: Browser, at: string, locale = 'en-GB'): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, locale })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  const hosts = new Set<string>()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (line) => {
    if (/content security|refused to|minified react/i.test(line.text())) complaints.push(line.text())
  })
  page.on('request', (request) => {
    const { origin } = new URL(request.url())
    if (origin !== 'null') hosts.add(new URL(origin).host)
  })
  page.on('dialog', (dialog) => void dialog.accept())
  await page.goto(at)
  return { page, complaints, hosts }
}

/** Logs in as a seeded user. */
export async function logIn(page: Page, username: string): Promise<void> {
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill('password')
  await page.getByRole('button', { name: 'Log in' }).click()
  await live(page)
}

export async function signUp(page: Page, username: string): Promise<void> {
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill('password')
  await page.getByRole('button', { name: 'Sign up' }).click()
  await live(page)
}

export const live = (page: Page) => page.locator('[data-status=LIVE]').waitFor()

export async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

/** A message that the server has, and one that is still on its way. */
export const sent = (page: Page, text: string) => page.locator('.message[data-seq]', { hasText: text })
export const pending = (page: Page, text: string) => page.locator('.message.pending', { hasText: text })
/** The texts of the messages, in order. */
export const texts = (page: Page) => page.locator('.message .text').allInnerTexts()

/** Opens the row of a conversation in the list. */
export const choose = (page: Page, title: string) =>
  page
    .getByRole('navigation')
    .locator('.row')
    .filter({ has: page.locator('b', { hasText: title }) })
    .click()

/** Chooses a command of a menu. */
export async function command(page: Page, place: 'navigation' | 'main', name: string): Promise<void> {
  await page.getByRole(place).getByRole('button', { name: 'Menu' }).click()
  await page.getByRole(place).getByRole('button', { name, exact: true }).click()
}

/** Starts a direct conversation. */
export async function start(page: Page, username: string): Promise<void> {
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByLabel('Start a conversation with').fill(username)
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByLabel('Message', { exact: true }).waitFor()
}

/** Chooses an action of a message. */
export async function act(page: Page, text: string, name: string): Promise<void> {
  await sent(page, text).hover()
  await sent(page, text).getByRole('button', { name: 'Message actions' }).click()
  await sent(page, text).getByRole('button', { name, exact: true }).click()
}

/** The access token that a page stores. `isEnded` makes the page believe that it has expired. */
export function token(page: Page, isEnded = false): Promise<string> {
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

/** Whether something is kept under a name in IndexedDB. */
export function kept(page: Page, name: string): Promise<boolean> {
  return page.evaluate(
    (database) =>
      new Promise<boolean>((resolve) => {
        const opening = indexedDB.open(database)
        // There is none yet: leave it to the page to make it.
        opening.onupgradeneeded = () => opening.transaction?.abort()
        opening.onerror = () => resolve(false)
        opening.onsuccess = () => {
          const asked = opening.result.transaction('kept').objectStore('kept').get(1)
          asked.onsuccess = () => {
            opening.result.close()
            resolve(Boolean(asked.result))
          }
        }
      }),
    name,
  )
}

/** The violations that axe-core finds on the current page, of any impact. */
export async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations, passes } = await page.evaluate<AxeResults>('axe.run()')
  expect(passes.length).toBeGreaterThan(10)
  return violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html }) => `${impact} ${id}: ${html}`))
}
