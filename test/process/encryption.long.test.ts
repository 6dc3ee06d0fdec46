// An encrypted group in a real browser: three people on five devices start it, talk, join, leave, compare their safety number, lose a
// device, and come back.

import type { Browser, Page } from 'playwright-core'
import { beforeAll, expect, inject, test } from 'vitest'
import { findFreePort } from '../../src/local/postgres.ts'
import { closeAtEnd, createDatabase } from '../support/node.ts'
import { act, choose, command, launch, logIn, openPage, sent, signUp, write } from './page.ts'
import { Parley, type ServerAddress } from './parley.ts'

let browser: Browser
let server: ServerAddress

beforeAll(async () => {
  browser = await launch()
  closeAtEnd(() => browser.close())
  const port = await findFreePort()
  const environment = {
    PORT: String(port),
    PARLEY_PUBLIC_URL: `ws://localhost:${port}/graphql`,
    DATABASE_URL: await createDatabase(),
    REDIS_URL: inject('redisUrl'),
    PARLEY_TOKEN_SECRET: 'the token secret of a node with encryption',
    PARLEY_SEED: 'true',
  }
  server = await new Parley(environment, closeAtEnd).ready()
}, 120_000)

/** A page of a user who is logged in, with encryption open. */
async function open(enter: (page: Page) => Promise<void>) {
  const { page, complaints } = await openPage(browser, new URL('/', server.url).href)
  await enter(page)
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('dialog').locator('[name=encrypted]:enabled').first().waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
  return { page, complaints }
}

const entering = (username: string) => (page: Page) => logIn(page, username)

/** The safety number that a page shows of a person; the dialog stays open. */
async function safetyOf(page: Page, name: string): Promise<string> {
  await page.getByRole('main').getByRole('button', { name: 'Encryption' }).click()
  const person = page.getByRole('dialog').locator('.safety > li').filter({ hasText: name })
  return (await person.locator('.number').textContent()) ?? ''
}

const closeDialog = (page: Page) => page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

test('three people on five devices talk in an encrypted group, compare numbers, lose a device and come back', async () => {
  const phone = await open(entering('alice'))
  const laptop = await open(entering('alice'))
  const bob = await open(entering('bob'))
  const carol = await open((page) => signUp(page, 'carola'))
  // Alice starts an encrypted group with Bob.
  await phone.page.getByRole('button', { name: 'New conversation' }).click()
  const dialog = phone.page.getByRole('dialog')
  const form = dialog.locator('form').filter({ has: phone.page.getByRole('button', { name: 'Create group' }) })
  await form.getByLabel('Title').fill('Secret')
  await form.getByLabel('Usernames').fill('bob')
  await form.locator('[name=encrypted]').check()
  await form.getByRole('button', { name: 'Create group' }).click()
  await phone.page.locator('[data-icon=lock]').waitFor()
  await write(phone.page, 'hello, in secret')
  for (const { page } of [bob, laptop]) {
    await choose(page, 'Secret')
    await sent(page, 'hello, in secret').waitFor()
  }
  await write(bob.page, 'nobody hears us')
  for (const { page } of [phone, laptop]) await sent(page, 'nobody hears us').waitFor()
  // A reaction and an edit.
  await act(bob.page, 'hello, in secret', 'React 👍')
  await phone.page.getByRole('button', { name: '👍, 1' }).waitFor()
  // A second device of Bob's reads what comes from then on.
  const tablet = await open(entering('bob'))
  await choose(tablet.page, 'Secret')
  await tablet.page.getByText('Written before this device joined.').first().waitFor()
  // Carola joins.
  await command(phone.page, 'main', 'Details')
  await phone.page.getByRole('dialog').getByLabel('Add by username').fill('carola')
  await phone.page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click()
  await closeDialog(phone.page)
  await choose(carol.page, 'Secret')
  await write(carol.page, 'here I am')
  await sent(laptop.page, 'here I am').waitFor()
  await write(laptop.page, 'welcome, carola')
  for (const { page } of [phone, bob, tablet, carol]) await sent(page, 'welcome, carola').waitFor()
  // The safety number is the same on both sides.
  const number = await safetyOf(phone.page, 'Bob')
  expect(number.replaceAll(' ', '')).toMatch(/^\d{60}$/)
  expect(await safetyOf(bob.page, 'Alice')).toBe(number)
  await phone.page.getByRole('dialog').getByRole('listitem').filter({ hasText: 'Bob' }).getByRole('button').click()
  await phone.page.getByText('Compared', { exact: true }).waitFor()
  for (const { page } of [phone, bob]) await closeDialog(page)
  // Bob loses the tablet, and ends its session on the other device.
  await command(bob.page, 'navigation', 'Devices')
  await bob.page.getByRole('dialog').getByRole('button', { name: 'End all others' }).click()
  await tablet.page.getByRole('button', { name: 'Log in' }).waitFor()
  await closeDialog(bob.page)
  await write(phone.page, 'without the tablet')
  for (const { page } of [bob, carol]) await sent(page, 'without the tablet').waitFor()
  // The number has changed back: the phone knows that it is another one than it was compared for.
  expect(await safetyOf(phone.page, 'Bob')).not.toBe(number)
  await closeDialog(phone.page)
  // Bob logs in on a new device.
  const fresh = await open(entering('bob'))
  await choose(fresh.page, 'Secret')
  // It is sent once the device has joined.
  await write(fresh.page, 'I am back')
  await sent(phone.page, 'I am back').waitFor()
  await write(phone.page, 'welcome back')
  await sent(fresh.page, 'welcome back').waitFor()
  for (const { complaints } of [phone, laptop, bob, carol, fresh]) expect(complaints).toEqual([])
}, 180_000)
