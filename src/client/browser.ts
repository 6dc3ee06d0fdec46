// What the library uses of a browser, and does without elsewhere. The types are its own, so that an app needs no DOM library.

type Locks = {
  request<T>(name: string, options: { readonly signal: AbortSignal }, work: () => Promise<T>): Promise<T>
}
type Host = {
  readonly navigator?: { readonly locks?: Locks }
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

const host = globalThis as Host

/**
 * Does something while no other tab of this origin does what has the same name. Where there are no Web Locks (in Node) it is
 * done at once.
 * @throws where the lock could not be had within `limitMs`, and what `work` throws
 */
export async function withLock<T>(name: string, limitMs: number, work: () => Promise<T>): Promise<T> {
  const locks = host.navigator?.locks
  if (!locks) return work()
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), limitMs)
  return locks
    .request(name, { signal: limit.signal }, () => {
      clearTimeout(timer)
      return work()
    })
    .finally(() => clearTimeout(timer))
}

/** Tells when the browser believes that the network went or came back: a hint and no more. @returns what ends it */
export function onNetwork(changed: (isThere: boolean) => void): () => void {
  const listeners = [
    ['online', () => changed(true)],
    ['offline', () => changed(false)],
  ] as const
  for (const [type, listener] of listeners) host.addEventListener?.(type, listener)
  return () => {
    for (const [type, listener] of listeners) host.removeEventListener?.(type, listener)
  }
}
