// How fast the web client is: the first messages of a cold load, and scrolling through ten thousand.

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

/** Scrolls until the first or the last message is shown. @returns the seqs that were shown, and how long the long tasks took */
function scrollTo(page: Page, end: 'first' | 'last') {
  return page.evaluate(
    ([count, isUp]) =>
      new Promise<{ seen: number; tasks: number[] }>((resolve) => {
        const box = document.querySelector('.scroll') as HTMLElement
        const seen = new Set<string>()
        const add = (row: Node) => seen.add((row as HTMLElement).dataset.seq ?? '')
        for (const row of box.querySelectorAll('.message')) add(row)
        const rows = new MutationObserver((changes) => {
          for (const { addedNodes } of changes) for (const row of addedNodes) add(row)
        })
        rows.observe(box.querySelector('ol') as Element, { childList: true })
        const tasks: number[] = []
        const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
        observer.observe({ type: 'longtask' })
        const wanted = isUp ? '1' : String(count)
        const step = () => {
          if (box.querySelector(`[data-seq="${wanted}"]`)) {
            for (const each of [rows, observer]) each.disconnect()
            resolve({ seen: seen.size, tasks })
          } else {
            box.scrollTop += isUp ? -900 : 900
            requestAnimationFrame(step)
          }
        }
        step()
      }),
    [messages, end === 'first'] as const,
  )
}

test('ten thousand messages scroll up and down, and each of them is shown', async () => {
  const page = await openShore()
  const up = await scrollTo(page, 'first')
  const down = await scrollTo(page, 'last')
  // The goal is none. With a thousand rows in the list, most pages cost one of 50 to 70 ms on two busy cores.
  process.stdout.write(`long tasks: up ${JSON.stringify(up.tasks)}, down ${JSON.stringify(down.tasks)}\n`)
  expect([up.seen, down.seen]).toEqual([messages, messages])
}, 180_000)

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
