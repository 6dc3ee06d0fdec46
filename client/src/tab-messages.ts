// What the tabs of one session say to each other over a BroadcastChannel, and the parts of a browser that they need for it.

import type { ConnectionState } from './connection.ts'
import type { Variables } from './document.ts'
import { ParleyFailure, type Result, type ServerError } from './failure.ts'

/** A failure as a message carries it. */
type SentFailure = {
  readonly code: string
  readonly message: string
  readonly isRetryable: boolean
  readonly errors: readonly ServerError[]
}
type OfOperation = { readonly tab: string; readonly operation: string }

/** From a tab to the one that leads. */
export type TabRequest =
  /** Is there a tab that leads? It answers with its state. */
  | { readonly kind: 'hello'; readonly tab: string }
  /** Nothing came for too long: drop the socket, and say that you live. */
  | { readonly kind: 'silent'; readonly tab: string; readonly reason: string }
  | { readonly kind: 'idle'; readonly tab: string; readonly isIdle: boolean }
  | ({ readonly kind: 'open' | 'stop' | 'progress' } & OfOperation)
  | ({ readonly kind: 'again'; readonly failure: SentFailure } & OfOperation)
  /** The answer to `ask`. */
  | ({ readonly kind: 'asked'; readonly turn: number; readonly query: string; readonly variables: Variables } & OfOperation)

/** From the tab that leads, to all tabs or to the one that it names. */
export type TabReport =
  /** Another tab leads from now on, and knows of no operations. */
  | { readonly kind: 'leads' }
  | { readonly kind: 'state'; readonly state: SentState }
  | { readonly kind: 'ended'; readonly code: string }
  /** There is a socket: what should it run? */
  | ({ readonly kind: 'ask'; readonly turn: number } & OfOperation)
  | ({ readonly kind: 'next'; readonly result: Result } & OfOperation)
  | ({ readonly kind: 'refused'; readonly failure: SentFailure } & OfOperation)
  | ({ readonly kind: 'completed' | 'lost' } & OfOperation)

type SentState =
  | { readonly status: 'CLOSED' | 'CONNECTING' | 'OPEN' }
  | { readonly status: 'WAITING'; readonly until: Date; readonly failure: SentFailure }

export const sentFailure = ({ code, message, isRetryable, errors }: ParleyFailure): SentFailure => ({
  ...{ code, message, isRetryable, errors },
})
export const receivedFailure = ({ code, message, isRetryable, errors }: SentFailure) =>
  new ParleyFailure(code, message, isRetryable, errors)
export const sentState = (state: ConnectionState): SentState =>
  state.status === 'WAITING' ? { ...state, failure: sentFailure(state.failure) } : state
export const receivedState = (state: SentState): ConnectionState =>
  state.status === 'WAITING' ? { ...state, failure: receivedFailure(state.failure) } : state

/** A channel to the other tabs. */
export type TabChannel = {
  postMessage(message: TabRequest | TabReport): void
  onmessage: ((event: { readonly data: TabRequest | TabReport }) => void) | null
  close(): void
}
type LockOptions = { readonly signal: AbortSignal } | { readonly steal: true }

/** Locks that a tab holds until `work` has settled, or the tab is gone. */
export type TabLocks = { request(name: string, options: LockOptions, work: () => Promise<void>): Promise<void> }

type TabBrowser = {
  readonly navigator?: { readonly locks?: TabLocks }
  readonly BroadcastChannel?: new (name: string) => TabChannel
}

/** What tabs need to share a connection; null where something of it is missing: in Node, and on pages from plain http. */
export function tabHost(name: string): { readonly channel: TabChannel; readonly locks: TabLocks } | null {
  const { navigator, BroadcastChannel } = globalThis as TabBrowser
  return navigator?.locks && BroadcastChannel ? { channel: new BroadcastChannel(name), locks: navigator.locks } : null
}
