// The page that Parley shows at `/`: log in or sign up, and chat. It is small on purpose, and stands on the client library.

import { createParleyClient, indexedDbOutbox } from '../client/client.ts'
import { showChat } from './chat.ts'
import { type Login, showDoor } from './login.ts'

const key = 'parley.login'
/** Nothing was touched for so long: the person is elsewhere. */
const awayMs = 5 * 60_000

const root = document.getElementById('app') as HTMLElement

function kept(): Login | null {
  return JSON.parse(localStorage.getItem(key) ?? 'null') as Login | null
}

function show(login: Login | null): void {
  if (login) chat(login)
  else
    showDoor(root, (entered) => {
      localStorage.setItem(key, JSON.stringify(entered))
      chat(entered)
    })
}

function chat({ userId }: Login): void {
  const client = createParleyClient({
    url: new URL('/graphql', location.href).href,
    session: {
      load: () => kept()?.credentials ?? null,
      save(credentials) {
        if (credentials) localStorage.setItem(key, JSON.stringify({ userId, credentials } satisfies Login))
        // Another person may have logged in by another tab.
        else if (kept()?.userId === userId) localStorage.removeItem(key)
      },
    },
    outbox: indexedDbOutbox(`parley-outbox-${userId}`),
  })
  const stopWatching = watchPresence((isAway) => client.setIdle(isAway))
  client.onState(({ status }) => {
    if (status !== 'SIGNED_OUT') return
    stopWatching()
    void client.close().finally(() => show(null))
  })
  showChat(root, client)
}

/** Tells whether somebody is at the page: it is seen, and was touched lately. */
function watchPresence(tell: (isAway: boolean) => void): () => void {
  let timer = 0
  const look = () => {
    clearTimeout(timer)
    tell(document.hidden)
    timer = window.setTimeout(() => tell(true), awayMs)
  }
  const types = ['visibilitychange', 'pointerdown', 'keydown'] as const
  for (const type of types) document.addEventListener(type, look)
  look()
  return () => {
    clearTimeout(timer)
    for (const type of types) document.removeEventListener(type, look)
  }
}

show(kept())
