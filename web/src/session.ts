// The session of this browser: who is logged in, the client and the store of that user, and their end.

import {
  type Credentials,
  createParleyClient,
  indexedDbCredentials,
  indexedDbOutbox,
  type ParleyClient,
  uuidv7,
} from 'parley-client'
import { indexedDbStore, openStore, type ParleyStore } from 'parley-client/react'
import { forgetDrafts } from './drafts.ts'
import { encryptFor, forgetEncryption } from './encryption.ts'
import { forgetNotifications, keepNotifications } from './notifications.ts'

/** The address of the server that served this page. */
export const endpoint = new URL('/graphql', location.href).href

/** The localStorage key of the ID of the user who is logged in. The credentials are in IndexedDB. */
const key = 'parley.user'
/** The localStorage key of what the tabs of this login call the connection that they share. Another login has another one. */
const tabsKey = 'parley.tabs'
/** After this long without input, the user is idle. */
const idleAfterMs = 5 * 60_000

const credentialsOf = (userId: string) => indexedDbCredentials(`parley-login-${userId}`)

/** The user who is logged in; null if nobody is. */
export const loggedInUser = () => localStorage.getItem(key)

/** Keeps a login for this browser. */
export async function keepLogin(userId: string, credentials: Credentials): Promise<void> {
  await credentialsOf(userId).save(credentials)
  localStorage.setItem(key, userId)
  localStorage.setItem(tabsKey, uuidv7())
}

/** An open session. */
export type OpenSession = { readonly client: ParleyClient; readonly store: Promise<ParleyStore>; close(): Promise<void> }

/** Opens the session of a user. @param ended called when it is over, with the code that says why */
export function openSession(userId: string, ended: (code: string) => void): OpenSession {
  const credentials = credentialsOf(userId)
  const client = createParleyClient({
    url: endpoint,
    session: {
      load: credentials.load,
      async save(given) {
        await credentials.save(given)
        // Another user may have logged in from another tab.
        if (given === null && localStorage.getItem(key) === userId) localStorage.removeItem(key)
      },
    },
    outbox: indexedDbOutbox(`parley-outbox-${userId}`),
    tabs: `parley-tabs-${localStorage.getItem(tabsKey) ?? userId}`,
  })
  const storage = indexedDbStore(`parley-store-${userId}`)
  const store = openStore(client, storage)
  const stopEncrypting = store.then((opened) => encryptFor(opened, userId))
  // It is tried again at the next start.
  keepNotifications(client, userId).catch(() => undefined)
  const stopWatching = watchPresence((isIdle) => client.setIdle(isIdle))
  let closing: Promise<void> | null = null
  const closeOnce = async () => {
    stopWatching()
    await (await stopEncrypting)()
    await (await store).close()
    await client.close()
  }
  const close = () => {
    // The store saves when it closes: a second time it would bring back what was removed.
    closing ??= closeOnce()
    return closing
  }
  client.onState((state) => {
    if (state.status !== 'SIGNED_OUT') return
    // What was read or written in a session does not stay on the device after it.
    forgetDrafts(userId)
    forgetNotifications(userId).catch(() => undefined)
    void close()
      .then(() => {
        // After an expiry the keys wait for the next log-in on this device.
        if (state.code === 'LOGGED_OUT' || state.code === 'SESSION_REVOKED') forgetEncryption(userId)
        return storage.save(null)
      })
      .finally(() => ended(state.code))
  })
  return { client, store, close }
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
