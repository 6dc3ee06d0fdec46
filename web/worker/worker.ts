// The service worker of the web client: shows notifications and clears them, whether a tab is open or not. What comes is described in
// docs/push.md. It keeps nothing, and answers no requests.

// A module has its own `self`, of the right type.
export {}

declare const self: ServiceWorkerGlobalScope

/** A notification as the server sends it. */
type Push = {
  readonly kind: 'message' | 'clear' | 'test'
  readonly id: string
  readonly title?: string
  readonly body?: string
  readonly conversationId?: string
  readonly messageId?: string
  readonly badge?: number
}
/** What a shown notification remembers. */
type Shown = Pick<Push, 'id' | 'conversationId' | 'messageId'>

/** How long a tab may take to say what it shows, in milliseconds. */
const answerMs = 500

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()))
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('push', (event) => {
  const push: Push | undefined = event.data?.json()
  if (push) event.waitUntil(take(push))
})
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const { conversationId, messageId }: Shown = event.notification.data
  event.waitUntil(open(conversationId, messageId))
})

async function take(push: Push): Promise<void> {
  const { kind, conversationId, badge } = push
  if (badge !== undefined) await setBadge(badge).catch(() => undefined)
  if (kind === 'clear') for (const shown of await self.registration.getNotifications({ tag: conversationId ?? '' })) shown.close()
  else if (conversationId === undefined || !(await isVisible(conversationId))) await show(push)
}

async function show({ id, title = 'Parley', body, conversationId, messageId }: Push): Promise<void> {
  // One for each conversation: a newer one takes the place of the older, and the same one twice is seen once.
  const tag = conversationId ?? id
  const before = await self.registration.getNotifications({ tag })
  const isRepeat = before.some(({ data }) => (data as Shown | null)?.id === id)
  const data: Shown = { id, ...(conversationId ? { conversationId } : {}), ...(messageId ? { messageId } : {}) }
  // TypeScript does not know `renotify`, which not all browsers have.
  const options = { ...(body ? { body } : {}), tag, renotify: !isRepeat, silent: isRepeat, data }
  await self.registration.showNotification(title, options)
}

/** The number on the app's icon, where there is one. */
async function setBadge(count: number): Promise<void> {
  const { navigator } = self
  if (!('setAppBadge' in navigator)) return
  await (count > 0 ? navigator.setAppBadge(count) : navigator.clearAppBadge())
}

const tabs = () => self.clients.matchAll({ type: 'window', includeUncontrolled: true })

/** Whether somebody sees a conversation: a visible tab says so itself, because the worker knows only the address that it began with. */
async function isVisible(conversationId: string): Promise<boolean> {
  const visible = (await tabs()).filter(({ visibilityState }) => visibilityState === 'visible')
  return (await Promise.all(visible.map((tab) => ask(tab, conversationId)))).includes(true)
}

function ask(tab: WindowClient, conversationId: string): Promise<boolean> {
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), answerMs)
    port1.onmessage = ({ data }) => resolve(data === true)
    tab.postMessage({ kind: 'shows', conversationId }, [port2])
  })
}

/** Shows a conversation, in a tab that is open if there is one. */
async function open(conversationId?: string, messageId?: string): Promise<void> {
  const all = await tabs()
  const tab = all.find(({ visibilityState }) => visibilityState === 'visible') ?? all[0]
  if (tab) {
    tab.postMessage({ kind: 'open', conversationId, messageId })
    // A browser may not let it come to the front.
    await tab.focus().catch(() => undefined)
  } else await self.clients.openWindow(conversationId === undefined ? '/' : `/#/c/${encodeURIComponent(conversationId)}`)
}
