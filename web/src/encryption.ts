// Encryption in this browser: opened once the client is connected, in a part of the page that is loaded only then.

import type { ParleyClient } from 'parley-client'
import type { DeviceEncryption } from 'parley-client/e2ee'
import { type ParleyStore, useStore } from 'parley-client/react'
import { useEffect, useState } from 'react'

const retryMs = 5_000
const databaseOf = (userId: string) => `parley-encryption-${userId}`

/** Encryption by store: a promise that lasts until the browser and the server allow it. */
const opened = new WeakMap<ParleyStore, Promise<DeviceEncryption>>()

/** Opens encryption for a store as soon as the server can be reached. @returns a function to close it */
export function encryptFor(store: ParleyStore, userId: string): () => Promise<void> {
  let isClosed = false
  let timer = 0
  let encryption: DeviceEncryption | null = null
  const open = async () => {
    const { indexedDbEncryption, openEncryption } = await import('parley-client/e2ee')
    const storage = indexedDbEncryption(databaseOf(userId))
    encryption = await openEncryption(store.client, storage, { deviceName: browserName() })
    if (isClosed) await encryption.close()
    else store.readWith(encryption)
  }
  const opening = new Promise<DeviceEncryption>((resolve) => {
    const attempt = () => {
      if (isClosed) return
      open().then(
        () => encryption && resolve(encryption),
        () => {
          timer = window.setTimeout(attempt, retryMs)
        },
      )
    }
    whenLive(store.client, attempt)
  })
  opened.set(store, opening)
  return async () => {
    isClosed = true
    clearTimeout(timer)
    await encryption?.close()
  }
}

/** Forgets the keys and texts of a user in this browser: after a log-out nobody may find them here. */
export const forgetEncryption = (userId: string) => void indexedDB.deleteDatabase(databaseOf(userId))

/** Encryption, once it is open. */
export function useEncryption(): DeviceEncryption | null {
  const store = useStore()
  const [encryption, setEncryption] = useState<DeviceEncryption | null>(null)
  useEffect(() => {
    let isCurrent = true
    void opened.get(store)?.then((found) => isCurrent && setEncryption(found))
    return () => {
      isCurrent = false
    }
  }, [store])
  return encryption
}

function whenLive(client: ParleyClient, call: () => void): void {
  if (client.state.status === 'LIVE') {
    call()
    return
  }
  const stop = client.onState(({ status }) => {
    if (status !== 'LIVE' && status !== 'CLOSED' && status !== 'SIGNED_OUT') return
    stop()
    if (status === 'LIVE') call()
  })
}

/** What others call this device: the browser and its system, in the words of the browser. */
function browserName(): string {
  const agent = navigator.userAgent
  const browser = /Edg|Firefox|Chrome|Safari/.exec(agent)?.[0].replace('Edg', 'Edge') ?? 'Browser'
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(agent)?.[0]
  return system ? `${browser}, ${system}` : browser
}
