// The parts of a browser that the library uses: locks and network events. Where they are missing, it works without them. It
// declares their types itself, so that an app does not need the DOM library of TypeScript.

import { withLease } from './lease.ts'

type Locks = {
  request<T>(name: string, options: { readonly signal: AbortSignal }, work: () => Promise<T>): Promise<T>
}
type BrowserHost = {
  readonly navigator?: { readonly locks?: Locks }
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

const host = globalThis as BrowserHost

/**
 * Runs `work` while no other tab of this origin runs work of the same name. It uses a Web Lock, or a lease on pages from plain
 * http, which have no locks. If there is neither (in Node), it runs `work` at once.
 * @param closed aborts the wait for the lock, but not `work`
 * @throws if the lock is not free within `limitMs`, and whatever `work` throws
 */
export async function withLock<T>(name: string, limitMs: number, work: () => Promise<T>, closed?: AbortSignal): Promise<T> {
  const limit = new AbortController()
  const stop = () => limit.abort()
  const timer = setTimeout(stop, limitMs)
  if (closed?.aborted) stop()
  closed?.addEventListener('abort', stop)
  const waited = () => {
    clearTimeout(timer)
    closed?.removeEventListener('abort', stop)
  }
  const begin = () => {
    waited()
    return work()
  }
  const locks = host.navigator?.locks
  const done = locks ? locks.request(name, { signal: limit.signal }, begin) : withLease(name, limit.signal, begin)
  return done.finally(waited)
}

/** Calls `changed` when the browser believes that the network went away or came back: a hint. @returns a function to stop it */
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
