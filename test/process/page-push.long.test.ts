// Notifications of the web client: turned on by a press, pushed to its service worker by the browser, as its push service would. There
// is no push service in a test: the page gets a subscription of the right form, and the DevTools protocol delivers what is pushed.

import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import webPush from 'web-push'
import { command, faults, openPage, sent, signUp, start, write } from './page.ts'
import { openSite, type Site } from './site.ts'

let site: Site

beforeAll(async () => {
  const { publicKey, privateKey } = webPush.generateVAPIDKeys()
  site = await openSite({
    PARLEY_VAPID_PUBLIC_KEY: publicKey,
    PARLEY_VAPID_PRIVATE_KEY: privateKey,
    PARLEY_VAPID_SUBJECT: 'mailto:operator@example.com',
  })
}, 120_000)

/** Stands for the push service of the browser. */
function standIn(): void {
  const base64url = (bytes: ArrayBuffer) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, '')
  let kept: unknown = null
  PushManager.prototype.getSubscription = async () => kept as PushSubscription | null
  PushManager.prototype.subscribe = async () => {
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits'])
    const p256dh = base64url(await crypto.subtle.exportKey('raw', publicKey))
    const auth = base64url(crypto.getRandomValues(new Uint8Array(16)).buffer)
    kept = {
      toJSON: () => ({ endpoint: 'https://93.184.216.34/one', keys: { p256dh, auth } }),
      unsubscribe: async () => {
        kept = null
        return true
      },
    }
    return kept as PushSubscription
  }
}

type Shown = { readonly title: string; readonly body: string; readonly tag: string }
const shown = (page: Page) =>
  page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration()
    const all = (await registration?.getNotifications()) ?? []
    return all.map(({ title, body, tag }): Shown => ({ title, body, tag }))
  })

/** Opens a page that may show notifications. `push` delivers a payload to its service worker. */
async function openNotified() {
  const { page, complaints } = await openPage(site.browser, 'about:blank')
  await page.context().grantPermissions(['notifications'], { origin: new URL(site.home).origin })
  await page.addInitScript(standIn)
  await page.goto(site.home)
  const session = await page.context().newCDPSession(page)
  const registrations: string[] = []
  session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: known }) => {
    for (const { registrationId, isDeleted } of known) if (!isDeleted) registrations.push(registrationId)
  })
  await session.send('ServiceWorker.enable')
  const push = async (payload: object) => {
    await expect.poll(() => registrations.length).toBeGreaterThan(0)
    const about = { origin: new URL(site.home).origin, registrationId: registrations.at(-1) ?? '' }
    await session.send('ServiceWorker.deliverPushMessage', { ...about, data: JSON.stringify(payload) })
  }
  return { page, complaints, push }
}

test('a push shows a notification, once for each conversation; opening the conversation or a clear removes it', async () => {
  const { page, complaints, push } = await openNotified()
  await signUp(page, 'vera')
  await start(page, 'carol')
  await write(page, 'the first one')
  await sent(page, 'the first one').waitFor()
  const conversationId = decodeURIComponent(new URL(page.url()).hash.split('/')[2] ?? '')
  await start(page, 'bob')
  expect(await page.evaluate(() => navigator.serviceWorker.getRegistration().then((known) => known === undefined))).toBe(true)

  await command(page, 'navigation', 'Notifications')
  await page.getByText('You are not notified in this browser.').waitFor()
  expect(await faults(page)).toEqual([])
  await page.getByRole('button', { name: 'Turn on' }).click()
  await page.getByText('You are notified in this browser').waitFor()
  await page.keyboard.press('Escape')

  const message = { kind: 'message', title: 'Carol', conversationId, badge: 1 }
  await push({ ...message, id: 'n1', body: 'Are you there?', messageId: 'msg1' })
  await expect.poll(() => shown(page)).toEqual([{ title: 'Carol', body: 'Are you there?', tag: conversationId }])
  await push({ ...message, id: 'n2', body: 'Hello?', messageId: 'msg2' })
  await expect.poll(async () => (await shown(page)).map(({ body }) => body)).toEqual(['Hello?'])
  await push({ kind: 'clear', id: 'n3', conversationId, badge: 0 })
  await expect.poll(() => shown(page)).toEqual([])

  await push({ ...message, id: 'n4', body: 'Look at this', messageId: 'msg3' })
  await expect.poll(async () => (await shown(page)).length).toBe(1)
  // A click on it opens the conversation in the tab that is there, and what is seen is announced no more.
  const [worker] = page.context().serviceWorkers()
  await worker?.evaluate(async () => {
    const scope = globalThis as unknown as {
      registration: { getNotifications(): Promise<unknown[]> }
      NotificationEvent: new (type: string, init: object) => Event
      dispatchEvent(event: Event): void
    }
    const [notification] = await scope.registration.getNotifications()
    scope.dispatchEvent(new scope.NotificationEvent('notificationclick', { notification }))
  })
  await page.getByRole('main').getByRole('heading', { name: 'Carol' }).waitFor()
  await expect.poll(() => shown(page)).toEqual([])
  await push({ ...message, id: 'n5', body: 'Seen at once' })
  await push({ kind: 'test', id: 'n6', title: 'Parley', badge: 0 })
  await expect.poll(async () => (await shown(page)).map(({ title }) => title)).toEqual(['Parley'])

  await command(page, 'navigation', 'Log out')
  await page.getByRole('button', { name: 'Log in' }).waitFor()
  await expect.poll(() => shown(page)).toEqual([])
  expect(complaints).toEqual([])
})

test('the levels, quiet hours and do-not-disturb are kept, for all conversations and for one', async () => {
  const { page } = await site.open()
  await signUp(page, 'wanda')
  await command(page, 'navigation', 'Notifications')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Notify me of').selectOption('mentions')
  await dialog.getByLabel('Presence').selectOption('do not disturb')
  await dialog.getByLabel('Quiet hours, every day').check()
  await dialog.getByLabel('From').fill('21:30')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByText('Saved').waitFor()
  await page.keyboard.press('Escape')
  await command(page, 'navigation', 'Notifications')
  await expect.poll(() => dialog.getByLabel('Notify me of').inputValue()).toBe('MENTIONS')
  expect(await dialog.getByLabel('Presence').inputValue()).toBe('DO_NOT_DISTURB')
  expect(await dialog.getByLabel('From').inputValue()).toBe('21:30')
  expect(await dialog.getByLabel('Until').inputValue()).toBe('07:00')
  await page.keyboard.press('Escape')
  await start(page, 'carol')
  await command(page, 'main', 'Details')
  await dialog.getByLabel('Notifications').selectOption('nothing')
  await expect.poll(() => dialog.getByLabel('Notifications').inputValue()).toBe('NONE')
  await page.keyboard.press('Escape')
  await page.reload()
  await command(page, 'main', 'Details')
  await expect.poll(() => dialog.getByLabel('Notifications').inputValue()).toBe('NONE')
})

test('the server serves the worker fresh, at an address from which it controls the page', async () => {
  const response = await fetch(new URL('/worker.js', site.home))
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-cache'])
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(await response.text()).not.toMatch(/^(import|export)\b/m)
})
