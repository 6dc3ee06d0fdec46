// Notifications in this browser: turned on and off by the user, with the service worker that shows them (worker/worker.ts).

import type { ParleyClient } from 'parley-client'
import { RegisterPush, UnregisterPush, VapidKey } from './documents.ts'
import { currentPlace, goTo } from './place.ts'

/** Whether this browser notifies: `missing` if the browser or the server cannot, `denied` if the user has refused it for good. */
export type NotificationState = 'missing' | 'denied' | 'off' | 'on'

/** The localStorage key of whether a user wants notifications here. */
const keyOf = (userId: string) => `parley.notifications.${userId}`

const isWanted = (userId: string) => localStorage.getItem(keyOf(userId)) !== null
const isPossible = () => 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window

/** How notifications stand for a user. */
export async function readState(client: ParleyClient, userId: string): Promise<NotificationState> {
  if (!isPossible() || (await client.request(VapidKey, {})).vapidPublicKey === null) return 'missing'
  if (Notification.permission === 'denied') return 'denied'
  return Notification.permission === 'granted' && isWanted(userId) ? 'on' : 'off'
}

/** Asks for the permission, and turns notifications on. Call it when the user presses a button: browsers want that. */
export async function turnOn(client: ParleyClient, userId: string): Promise<void> {
  if ((await Notification.requestPermission()) !== 'granted') return
  await subscribe(client)
  localStorage.setItem(keyOf(userId), 'on')
}

/** Turns notifications off, in this browser alone. */
export async function turnOff(client: ParleyClient, userId: string): Promise<void> {
  await client.request(UnregisterPush, {})
  await forgetNotifications(userId)
}

/** At each start: registers again what the user has turned on, because the browser or the server may have lost it. */
export async function keepNotifications(client: ParleyClient, userId: string): Promise<void> {
  if (isWanted(userId) && (await readState(client, userId)) === 'on') await subscribe(client)
}

async function subscribe(client: ParleyClient): Promise<void> {
  const { vapidPublicKey } = await client.request(VapidKey, {})
  await navigator.serviceWorker.register('/worker.js')
  const { pushManager } = await navigator.serviceWorker.ready
  const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: vapidPublicKey ?? null })
  const { endpoint, keys } = subscription.toJSON()
  await client.request(RegisterPush, {
    input: { endpoint: endpoint ?? '', p256dh: keys?.p256dh ?? '', auth: keys?.auth ?? '' },
  })
}

/** Ends the subscription of this browser when a user has turned it off, or is logged out: the next user must not get its messages. */
export async function forgetNotifications(userId: string): Promise<void> {
  localStorage.removeItem(keyOf(userId))
  const registration = isPossible() ? await navigator.serviceWorker.getRegistration() : undefined
  for (const shown of (await registration?.getNotifications()) ?? []) shown.close()
  await (await registration?.pushManager.getSubscription())?.unsubscribe()
}

/** Closes the notifications of a conversation that the user sees. */
export async function closeNotifications(conversationId: string): Promise<void> {
  const registration = isPossible() ? await navigator.serviceWorker.getRegistration() : undefined
  for (const shown of (await registration?.getNotifications({ tag: conversationId })) ?? []) shown.close()
}

type WorkerMessage = {
  readonly kind: 'shows' | 'open'
  readonly conversationId?: string
  readonly messageId?: string
}

/** Answers the service worker: whether this tab shows a conversation; and opens one whose notification was clicked. */
export function answerWorker(): () => void {
  const worker = isPossible() ? navigator.serviceWorker : null
  const answer = ({ data, ports }: MessageEvent<WorkerMessage>) => {
    const { kind, conversationId = null, messageId = null } = data
    if (kind === 'shows') ports[0]?.postMessage(!document.hidden && currentPlace().conversationId === conversationId)
    else goTo(conversationId, messageId)
  }
  worker?.addEventListener('message', answer)
  worker?.startMessages()
  return () => worker?.removeEventListener('message', answer)
}
