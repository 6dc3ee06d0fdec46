// The tabs of one browser share one socket: one of them has it, and another takes over when it is closed, crashes or is frozen.

import type { BrowserContext, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { choose, command, live, logIn, openPage, sent, signUp, start, write } from './page.ts'
import { openSite, type Site } from './site.ts'

let site: Site

beforeAll(async () => {
  site = await openSite()
}, 120_000)

/** Watches how many WebSockets each tab of a context has open. */
function watchSockets(context: BrowserContext): Map<Page, number> {
  const open = new Map<Page, number>()
  const count = (page: Page, change: number) => open.set(page, (open.get(page) ?? 0) + change)
  const watch = (page: Page) => {
    page.on('websocket', (socket) => {
      count(page, 1)
      socket.on('close', () => count(page, -1))
    })
    page.on('close', () => open.delete(page))
    page.on('crash', () => open.delete(page))
  }
  context.on('page', watch)
  return open
}
const socketsOf = (open: ReadonlyMap<Page, number>) => [...open.values()].reduce((all, each) => all + each, 0)

/** Opens some tabs of one user, who talks with carol. */
async function openTabs(username: string, count: number) {
  const first = await openPage(site.browser, 'about:blank')
  const context = first.page.context()
  const open = watchSockets(context)
  const [page] = [await context.newPage()]
  await page.goto(site.home)
  await signUp(page, username)
  await start(page, 'carol')
  const tabs = [page]
  for (let i = 1; i < count; i += 1) {
    const tab = await context.newPage()
    await tab.goto(page.url())
    await live(tab)
    tabs.push(tab)
  }
  return { context, open, tabs, complaints: first.complaints }
}

const leaderOf = (open: ReadonlyMap<Page, number>) => [...open].find(([, sockets]) => sockets > 0)?.[0]

test('three tabs have one socket between them, and all show what happens; another takes over when its tab is closed', async () => {
  const { page: carol } = await site.open()
  await logIn(carol, 'carol')
  const { open, tabs } = await openTabs('sela', 3)
  expect(socketsOf(open)).toBe(1)
  await choose(carol, 'sela')
  await carol.getByLabel('Message', { exact: true }).pressSequentially('to all tabs')
  for (const tab of tabs) await tab.getByText('Carol writing…').waitFor()
  await carol.keyboard.press('Enter')
  for (const tab of tabs) await sent(tab, 'to all tabs').waitFor()

  const leader = leaderOf(open)
  await leader?.close()
  const left = tabs.filter((tab) => tab !== leader)
  expect(left.length).toBe(2)
  await expect.poll(() => socketsOf(open)).toBe(1)
  await write(carol, 'to those that are left')
  for (const tab of left) await sent(tab, 'to those that are left').waitFor()
  await write(left[1] as Page, 'from the last one')
  for (const tab of [...left, carol]) await sent(tab, 'from the last one').waitFor()
  for (const tab of left) expect(await tab.locator('.message[data-seq]').count()).toBe(3)
  expect(socketsOf(open)).toBe(1)

  await command(left[0] as Page, 'navigation', 'Log out')
  for (const tab of left) await tab.getByRole('button', { name: 'Log in' }).waitFor()
  await expect.poll(() => socketsOf(open)).toBe(0)
})
