// What one does in a conversation of the web client beside writing: mentions, pins, drafts, pictures, days, sounds.

import type { Page } from 'playwright-core'
import sharp from 'sharp'
import { beforeAll, expect, test } from 'vitest'
import { act, choose, command, faults, live, logIn, sent, signUp, start, write } from './page.ts'
import { importLines, longConversation, openSite, type Site } from './site.ts'

let site: Site

beforeAll(async () => {
  site = await openSite()
}, 120_000)

const field = (page: Page) => page.getByLabel('Message', { exact: true })

test('an @ offers the members, for the keyboard and the pointer; a mention shows the name, and counts', async () => {
  const [mia, carol] = [await site.open(), await site.open()]
  await signUp(mia.page, 'mia')
  await logIn(carol.page, 'carol')
  await start(mia.page, 'carol')
  const list = mia.page.getByRole('listbox', { name: 'Members to mention' })
  await field(mia.page).pressSequentially('Hello @')
  await list.getByRole('option', { name: /Carol/ }).waitFor()
  expect(await faults(mia.page)).toEqual([])
  await field(mia.page).pressSequentially('car')
  await expect.poll(() => list.getByRole('option').count()).toBe(1)
  const active = await field(mia.page).getAttribute('aria-activedescendant')
  expect(await list.getByRole('option').getAttribute('id')).toBe(active)
  await mia.page.keyboard.press('Escape')
  await list.waitFor({ state: 'hidden' })
  await field(mia.page).fill('')
  await field(mia.page).pressSequentially('Hello @c')
  await list.getByRole('option', { name: /Carol/ }).waitFor()
  await mia.page.keyboard.press('ArrowDown')
  await mia.page.keyboard.press('Enter')
  expect(await field(mia.page).inputValue()).toBe('Hello @carol ')
  await field(mia.page).pressSequentially('look at a@carol and @c')
  await list.getByRole('option', { name: /Carol/ }).click()
  expect(await field(mia.page).inputValue()).toBe('Hello @carol look at a@carol and @carol ')
  await list.waitFor({ state: 'hidden' })
  expect(await mia.page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA')
  await mia.page.keyboard.press('Enter')
  await sent(mia.page, 'look at').waitFor()
  expect(await sent(mia.page, 'look at').locator('.mention').allInnerTexts()).toEqual(['@Carol', '@Carol'])
  await choose(carol.page, 'mia')
  await sent(carol.page, 'look at').waitFor()
  expect(await sent(carol.page, 'look at').locator('.mention[data-own=true]').count()).toBe(2)
  expect([...mia.complaints, ...carol.complaints]).toEqual([])
})

test('a message is pinned for everyone, found among the pinned ones, and unpinned', async () => {
  const [nina, carol] = [await site.open(), await site.open()]
  await signUp(nina.page, 'nina')
  await logIn(carol.page, 'carol')
  await start(nina.page, 'carol')
  await write(nina.page, 'keep this')
  await sent(nina.page, 'keep this').waitFor()
  await act(nina.page, 'keep this', 'Pin')
  await sent(nina.page, 'keep this').getByRole('img', { name: 'Pinned' }).waitFor()
  await choose(carol.page, 'nina')
  await command(carol.page, 'main', 'Pinned messages')
  const dialog = carol.page.getByRole('dialog')
  await dialog.getByRole('button', { name: /^nina.*keep this/ }).waitFor()
  expect(await faults(carol.page)).toEqual([])
  await dialog.getByRole('button', { name: /^nina.*keep this/ }).click()
  await carol.page.locator('.message.target', { hasText: 'keep this' }).waitFor()
  await command(carol.page, 'main', 'Pinned messages')
  await dialog.getByRole('button', { name: 'Unpin: keep this' }).click()
  await dialog.getByText('Nothing is pinned here.').waitFor()
  await sent(nina.page, 'keep this').getByRole('img', { name: 'Pinned' }).waitFor({ state: 'hidden' })
})

test('what was not sent stays in its conversation over a reload, with its mentions, and goes when the user logs out', async () => {
  const { page } = await site.open()
  await signUp(page, 'olga')
  await start(page, 'carol')
  await field(page).pressSequentially('for @car')
  await page.getByRole('option', { name: /Carol/ }).click()
  await start(page, 'bob')
  await page.getByRole('main').getByRole('heading', { name: 'Bob' }).waitFor()
  expect(await field(page).inputValue()).toBe('')
  await choose(page, 'Carol')
  await page.reload()
  await live(page)
  expect(await field(page).inputValue()).toBe('for @carol ')
  await page.keyboard.press('Tab')
  await field(page).press('Enter')
  await sent(page, 'for').locator('.mention').waitFor()
  expect(await field(page).inputValue()).toBe('')
  await field(page).fill('a secret')
  const drafts = () => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('parley.draft.')))
  expect((await drafts()).length).toBe(1)
  await command(page, 'navigation', 'Log out')
  await page.getByRole('button', { name: 'Log in' }).waitFor()
  await expect.poll(drafts).toEqual([])
})

test('one has a picture, and gives one to a group; others see them', async () => {
  const [petra, carol] = [await site.open(), await site.open()]
  await signUp(petra.page, 'petra')
  await logIn(carol.page, 'carol')
  const buffer = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#2f855a' } })
    .png()
    .toBuffer()
  const picture = { name: 'me.png', mimeType: 'image/png', buffer }
  const dialog = petra.page.getByRole('dialog')
  await command(petra.page, 'navigation', 'Profile')
  await dialog.locator('input[type=file]').setInputFiles(picture)
  await dialog.getByRole('button', { name: 'Remove picture' }).waitFor({ timeout: 20_000 })
  expect(await faults(petra.page)).toEqual([])
  await petra.page.keyboard.press('Escape')
  await start(petra.page, 'carol')
  await write(petra.page, 'see my face')
  const face = carol.page.locator('.row', { hasText: 'petra' }).locator('.avatar img')
  await expect.poll(() => face.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0)

  await petra.page.getByRole('button', { name: 'New conversation' }).click()
  await petra.page.getByLabel('Title').fill('Lake')
  await petra.page.getByLabel('Usernames, separated by commas').fill('carol')
  await petra.page.getByRole('button', { name: 'Create group' }).click()
  await command(petra.page, 'main', 'Details')
  await dialog.locator('input[type=file]').setInputFiles(picture)
  await carol.page.locator('.row', { hasText: 'Lake' }).locator('.avatar img').waitFor({ timeout: 20_000 })
  await dialog.getByRole('button', { name: 'Remove picture' }).click()
  await carol.page.locator('.row', { hasText: 'Lake' }).locator('.avatar img').waitFor({ state: 'hidden' })
  const text = { name: 'me.png', mimeType: 'image/png', buffer: Buffer.from('no picture') }
  await dialog.locator('input[type=file]').setInputFiles(text)
  await dialog.getByRole('alert').getByText('refused').or(dialog.getByText('picture')).first().waitFor()
  expect([...petra.complaints, ...carol.complaints]).toEqual([])
})

test('one jumps to a day of long ago, and back to the newest messages', async () => {
  const enter = await importLines(site, longConversation(500))
  const { page } = await site.open()
  await enter(page, 'quill')
  await choose(page, 'Shore')
  await sent(page, '500:').waitFor()
  await command(page, 'main', 'Jump to date')
  const day = new Date(Date.now() - 15 * 24 * 3_600_000)
  const date = [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
  await page.getByLabel('Date', { exact: true }).fill(date)
  expect(await faults(page)).toEqual([])
  await page.getByRole('button', { name: 'Jump', exact: true }).click()
  const target = page.locator('.message.target')
  await target.waitFor()
  const at = new Date((await target.locator('time').getAttribute('datetime')) ?? '')
  expect([at.toDateString(), at.getHours()]).toEqual([day.toDateString(), 0])
  await page.getByRole('button', { name: 'Newest messages' }).click()
  await sent(page, '500:').waitFor()
})

test('sounds and videos are played in the message', async () => {
  const { page, complaints } = await site.open()
  await signUp(page, 'ruth')
  await start(page, 'carol')
  await page.setInputFiles('.composer input[type=file]', { name: 'tone.wav', mimeType: 'audio/wav', buffer: tone() })
  await write(page, 'a tone')
  const player = sent(page, 'a tone').locator('audio')
  await player.waitFor({ timeout: 20_000 })
  const seconds = await player.evaluate(
    (audio) =>
      new Promise<number>((resolve, reject) => {
        const element = audio as HTMLAudioElement
        element.onloadedmetadata = () => resolve(element.duration)
        element.onerror = () => reject(new Error(element.error?.message))
        element.preload = 'metadata'
        element.load()
      }),
  )
  expect(seconds).toBeCloseTo(0.5, 1)
  expect(complaints).toEqual([])
})

/** Half a second of sound, as WAV. */
function tone(): Buffer {
  const rate = 8_000
  const samples = Buffer.from(Array.from({ length: rate / 2 }, (_, i) => 128 + Math.round(60 * Math.sin(i / 3))))
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + samples.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write('data', 36)
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}
