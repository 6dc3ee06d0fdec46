// How the web client looks: from right to left, without motion, with many members; and what its styles may say.

import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { act, choose, command, faults, sent, signUp, start, write } from './page.ts'
import { importLines, longConversation, openSite, type Site } from './site.ts'

const styles = new URL('../../web/src/', import.meta.url)
const members = 130

let site: Site

beforeAll(async () => {
  site = await openSite({ PARLEY_GROUP_MEMBERS_MAX: '200' })
}, 120_000)

test('the styles name no left and right, so that the layout follows the direction of the text', async () => {
  const files = (await readdir(styles)).filter((file) => file.endsWith('.css'))
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, styles), 'utf8')))
  const lines = texts.join('\n').split('\n')
  const sides = lines.filter((line) => /\b(left|right)\b/.test(line))
  const uneven = lines.filter((line) => {
    const [, right, , left] =
      /^\s*(?:padding|margin|inset|border-width): ([^;]*);/
        .exec(line)?.[1]
        ?.replace(/\([^;]*\)/, '')
        .split(' ') ?? []
    return left !== undefined && left !== right
  })
  expect(lines.length).toBeGreaterThan(500)
  expect([sides, uneven]).toEqual([[], []])
})

test('Arabic reads from right to left, in a line and in the whole interface', async () => {
  const { page, complaints } = await site.open()
  await signUp(page, 'yasmin')
  await start(page, 'carol')
  await write(page, 'مرحبا يا كارول')
  await write(page, 'and hello')
  const side = (text: string) =>
    sent(page, text)
      .locator('.text')
      .evaluate((element) => getComputedStyle(element).direction)
  await sent(page, 'and hello').waitFor()
  expect([await side('مرحبا'), await side('and hello')]).toEqual(['rtl', 'ltr'])
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl'
  })
  const places = await page.evaluate(() => {
    const middleOf = (selector: string) => {
      const { left, right } = document.querySelector(selector)?.getBoundingClientRect() ?? { left: 0, right: 0 }
      return (left + right) / 2
    }
    return { side: middleOf('.sidebar'), own: middleOf('.own .bubble'), send: middleOf('.send'), main: middleOf('main') }
  })
  expect(places.side).toBeGreaterThan(places.main)
  expect(places.own).toBeLessThan(places.main)
  expect(places.send).toBeLessThan(places.main)
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1000)
  await act(page, 'and hello', 'React 🎉')
  expect(await faults(page)).toEqual([])
  expect(complaints).toEqual([])
})

test('nothing moves for people who want no motion', async () => {
  const { page } = await site.open()
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await signUp(page, 'zara')
  await start(page, 'carol')
  await write(page, 'a still one')
  await act(page, 'a still one', 'Pin')
  await command(page, 'main', 'Pinned messages')
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /a still one/ })
    .first()
    .click()
  const target = page.locator('.message.target .bubble')
  await target.waitFor()
  const moving = () => page.evaluate(() => document.getAnimations().length)
  expect([await target.evaluate((bubble) => getComputedStyle(bubble).animationName), await moving()]).toEqual(['none', 0])
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  expect(await target.evaluate((bubble) => getComputedStyle(bubble).animationName)).toBe('found')
})

test('the members of a large group come in pages', async () => {
  const [quill, rosa, group, ...others] = longConversation(3)
  const people = Array.from({ length: members - 2 }, (_, i) => ({ type: 'user', id: `p${i}`, displayName: `Person ${i}` }))
  const all = { ...group, members: [{ id: 'quill', role: 'OWNER' }, { id: 'rosa' }, ...people.map(({ id }) => ({ id }))] }
  const enter = await importLines(
    site,
    [quill, rosa, ...people, all, ...others].filter((line) => line !== undefined),
  )
  const { page } = await site.open()
  await enter(page, 'quill')
  await choose(page, 'Shore')
  await command(page, 'main', 'Details')
  const dialog = page.getByRole('dialog')
  const rows = dialog.locator('.people li').filter({ has: page.locator('.names') })
  await expect.poll(() => rows.count()).toBe(100)
  await dialog.getByRole('button', { name: 'Show more' }).click()
  await expect.poll(() => rows.count()).toBe(members)
  expect(await faults(page)).toEqual([])
})
