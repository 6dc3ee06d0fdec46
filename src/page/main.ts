// The page that Parley shows at `/`: log in or sign up, and chat. It is small on purpose, and stands on the client library.

import { createParleyClient, indexedDbCredentials, indexedDbOutbox } from '../client/client.ts'
import { showChat } from './chat.ts'
import { showDoor } from './login.ts'

/** Who is logged in here. The credentials are kept apart, in IndexedDB. */
const key = 'parley.user'
/** Nothing was touched for so long: the person is elsewhere. */
const awayMs = 5 * 60_000

const root = document.getElementById('app') as HTMLElement

const credentialsOf = (userId: string) => indexedDbCredentials(`parley-login-${userId}`)

function show(userId: string | null): void {
  if (userId !== null) chat(userId)
  else
    showDoor(root, async (login) => {
      await credentialsOf(login.userId).save(login.credentials)
      localStorage.setItem(key, login.userId)
      chat(login.userId)
    })
}

function chat(userId: string): void {
  const credentials = credentialsOf(userId)
  const client = createParleyClient({
    url: new URL('/graphql', location.href).href,
    session: {
      load: credentials.load,
      async save(given) {
        await credentials.save(given)
        // Another person may have logged in by another tab.
        if (given === null && localStorage.getItem(key) === userId) localStorage.removeItem(key)
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

show(localStorage.getItem(key))
