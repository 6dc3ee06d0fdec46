// The page at `/`: a user logs in or signs up, and chats. It is small on purpose, and uses the client library.

import { createParleyClient, indexedDbCredentials, indexedDbOutbox } from '../../client/src/client.ts'
import { showChat } from './chat.ts'
import { showLogin } from './login.ts'

/** The localStorage key of the id of the user who is logged in. The credentials are in IndexedDB. */
const key = 'parley.user'
/** After this long without input, the user is idle. */
const idleAfterMs = 5 * 60_000

const root = document.getElementById('app') as HTMLElement

const credentialsOf = (userId: string) => indexedDbCredentials(`parley-login-${userId}`)

function show(userId: string | null): void {
  if (userId !== null) chat(userId)
  else
    showLogin(root, async (login) => {
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
        // Another user may have logged in from another tab.
        if (given === null && localStorage.getItem(key) === userId) localStorage.removeItem(key)
      },
    },
    outbox: indexedDbOutbox(`parley-outbox-${userId}`),
  })
  const stopWatching = watchPresence((isIdle) => client.setIdle(isIdle))
  client.onState(({ status }) => {
    if (status !== 'SIGNED_OUT') return
    stopWatching()
    void client.close().finally(() => show(null))
  })
  showChat(root, client)
}

/** Reports whether the user is idle: the page is hidden, or had no input for a while. @returns a function to stop it */
function watchPresence(report: (isIdle: boolean) => void): () => void {
  let timer = 0
  const look = () => {
    clearTimeout(timer)
    report(document.hidden)
    timer = window.setTimeout(() => report(true), idleAfterMs)
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
