// Tells the server what this device has received, so that senders see their messages delivered: some time after a message was processed,
// and when the device has caught up. What is not told now is told with the next message.

import type { Variables } from './document.ts'
import type { AnyEvent } from './follow.ts'
import { isIncluded, placeOf } from './place.ts'

/** How long messages are gathered before they are acknowledged, and the time between two acknowledgements. */
const gatherMs = 1_000
const everyMs = 2_000

/** Whether a document follows all conversations. A device that follows one has not received what happens in the others. */
export function followsAll(query: string, variables: Variables): boolean {
  const [, value] = /\bevents\s*\([^)]*\bconversationId\s*:\s*(\S[\w$]*)/.exec(query) ?? []
  if (value === undefined) return true
  return value.startsWith('$') ? variables[value.slice(1)] == null : value === 'null'
}

/** Acknowledges the events that an app has processed. */
export class Acknowledger {
  readonly #send: (cursor: string) => Promise<unknown>
  #reached: string | null = null
  #told: string | null = null
  /** Whether a message was processed since the last acknowledgement. */
  #hasNews = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(send: (cursor: string) => Promise<unknown>) {
    this.#send = send
  }

  /** The app has processed an event, and all before it. */
  processed({ __typename, cursor }: AnyEvent): void {
    if (this.#isClosed || __typename === 'SyncStarted') return
    this.#reached = cursor
    this.#hasNews ||= __typename === 'MessageSent' || (__typename === 'CaughtUp' && this.#isAhead(cursor))
    if (this.#hasNews && this.#timer === undefined) this.#wait(gatherMs)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #isAhead(cursor: string): boolean {
    return this.#told === null || !isIncluded(placeOf(cursor), placeOf(this.#told))
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const cursor = this.#reached
      if (!this.#hasNews || cursor === null || this.#isClosed) return
      this.#hasNews = false
      const told = this.#told
      this.#told = cursor
      this.#send(cursor).catch(() => {
        this.#told = told
      })
      this.#wait(everyMs)
    }, ms)
  }
}
