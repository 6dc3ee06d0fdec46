// How fast the web client is: the first messages of a cold load, of a conversation with ten thousand.

import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { choose, sent } from './page.ts'
import { importLines, longConversation, openSite, type Site } from './site.ts'

const messages = 10_000
/** The most that a cold load takes until the first message, in milliseconds. */
const coldMsMax = 1_000

let site: Site
let enter: Awaited<ReturnType<typeof importLines>>

beforeAll(async () => {
  site = await openSite()
  enter = await importLines(site, longConversation(messages))
}, 180_000)

async function openShore(): Promise<Page> {
  const { page } = await site.open()
  await enter(page, 'quill')
  await choose(page, 'Shore')
  await sent(page, `${messages}:`).waitFor()
  return page
}

test('a cold load shows the first messages within a second', async () => {
  const page = await openShore()
  const address = page.url()
  const userId = await page.evaluate(() => localStorage.getItem('parley.user'))
  await page.goto('about:blank')
  const other = await page.context().newPage()
  await other.addInitScript(() => {
    const look = () => {
      if (!document.querySelector('.message[data-seq] .text')) return
      observer.disconnect()
      performance.mark('first message')
    }
    const observer = new MutationObserver(look)
    observer.observe(document, { childList: true, subtree: true })
  })
  // Nothing is kept but the log-in.
  await other.goto(new URL('/health/live', site.home).href)
  await other.evaluate((name) => void indexedDB.deleteDatabase(name), `parley-store-${userId}`)
  const session = await other.context().newCDPSession(other)
  await session.send('Network.clearBrowserCache')
  await other.goto(address)
  await sent(other, `${messages}:`).waitFor()
  const [mark] = await other.evaluate(() => performance.getEntriesByName('first message').map(({ startTime }) => startTime))
  process.stdout.write(`first message after ${Math.round(mark ?? 0)} ms\n`)
  expect(mark).toBeLessThanOrEqual(coldMsMax)
})
