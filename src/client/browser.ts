// What the library uses of a browser, and does without elsewhere. The types are its own, so that an app needs no DOM library.

import { withLease } from './lease.ts'

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
 * Does something while no other tab of this origin does what has the same name: by a Web Lock, or by a lease where a page came
 * over plain http and has no locks. Where there is neither (in Node) it is done at once.
 * @param closed ends the wait for the lock, and nothing that is done under it
 * @throws where the lock could not be had within `limitMs`, and what `work` throws
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
