// The journal: every fact with its place, and the users who receive it. Cursors have the form of the server's: version, epoch, position
// and tag, as base64url.

import type { TestRandom } from './test-random.ts'

/** Why a stream cannot continue from a cursor. */
export type TestResetReason = 'AHEAD_OF_JOURNAL' | 'CURSOR_TOO_OLD' | 'OTHER_EPOCH' | 'OTHER_HISTORY'

/** What a fact is about. */
export type TestFactAbout = {
  readonly conversationId?: string
  readonly messageId?: string
  readonly userId?: string
  readonly sessionId?: string
  /** Of a join: the `seq` of the last message before it. */
  readonly seq?: number
  readonly markers?: readonly { readonly userId: string; readonly seq: number }[]
}

/** A fact. */
export type TestFact = {
  readonly position: number
  readonly tag: number
  /** The name of its event. */
  readonly kind: string
  readonly at: Date
  readonly receivers: ReadonlySet<string>
  readonly about: TestFactAbout
}

/** Where a stream begins. */
export type TestStart = {
  readonly position: number
  readonly mode: 'FRESH' | 'RESUMED' | 'RESET'
  readonly reason: TestResetReason | null
}

const byteLength = 21

/** The facts of a test server. */
export class TestJournal {
  readonly #random: TestRandom
  readonly #listeners = new Set<() => void>()
  #facts: TestFact[] = []
  #epoch: Uint8Array
  /** The position of the last fact that was trimmed; there is nothing at or before it. */
  #floor = 0
  #lastAt = 0

  constructor(random: TestRandom) {
    this.#random = random
    this.#epoch = random.bytes(8)
  }

  /** The position of the last fact. */
  get head(): number {
    return this.#floor + this.#facts.length
  }

  /** The time of the next fact: no two facts have the same, so that lists by time have one order. */
  now(): Date {
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1)
    return new Date(this.#lastAt)
  }

  append(kind: string, receivers: Iterable<string>, about: TestFactAbout, at = this.now()): TestFact {
    const tag = Math.floor(this.#random.fraction() * 2 ** 32)
    const fact = { position: this.head + 1, tag, kind, at, receivers: new Set(receivers), about }
    this.#facts.push(fact)
    return fact
  }

  /** Tells the streams that there are new facts: after a whole change. */
  announce(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  /** Calls the listener after every change. @returns a function to remove the listener */
  onFacts(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The first fact after a position that a user receives; null if there is none. */
  next(after: number, userId: string, conversationId: string | null): TestFact | null {
    const wanted = ({ receivers, about }: TestFact) =>
      receivers.has(userId) && (conversationId === null || about.conversationId === conversationId)
    for (let i = Math.max(after - this.#floor, 0); i < this.#facts.length; i += 1) {
      const fact = this.#facts[i]
      if (fact && wanted(fact)) return fact
    }
    return null
  }

  /** The cursor of a position: that of the head by default. */
  cursor(position = this.head): string {
    const bytes = new Uint8Array(byteLength)
    const view = new DataView(bytes.buffer)
    bytes[0] = 1
    bytes.set(this.#epoch, 1)
    view.setUint32(9, Math.floor(position / 2 ** 32))
    view.setUint32(13, position % 2 ** 32)
    view.setUint32(17, this.#tagAt(position))
    return btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
  }

  /** Where a stream from this cursor begins; null if the text is no cursor. */
  start(after: string | null): TestStart | null {
    if (after === null) return { position: this.head, mode: 'FRESH', reason: null }
    if (!/^[\w-]{28}$/.test(after)) return null
    const bytes = Uint8Array.from(atob(after.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
    const view = new DataView(bytes.buffer)
    const position = view.getUint32(9) * 2 ** 32 + view.getUint32(13)
    const reason = this.#refusalOf(bytes, position, view.getUint32(17))
    return reason === null ? { position, mode: 'RESUMED', reason } : { position: this.head, mode: 'RESET', reason }
  }

  /** Forgets every fact so far, so that every cursor is too old. */
  trim(): void {
    // Nobody receives the last fact, so nobody has its cursor.
    this.append('Tick', [], {})
    this.#floor = this.head
    this.#facts = []
  }

  /** Begins an epoch, in which no earlier cursor is valid. */
  newEpoch(): void {
    this.#epoch = this.#random.bytes(8)
  }

  #tagAt(position: number): number {
    return this.#facts[position - this.#floor - 1]?.tag ?? 0
  }

  #refusalOf(bytes: Uint8Array, position: number, tag: number): TestResetReason | null {
    if (bytes[0] !== 1 || this.#epoch.some((byte, i) => byte !== bytes[i + 1])) return 'OTHER_EPOCH'
    if (position > this.head) return 'AHEAD_OF_JOURNAL'
    if (position < this.#floor) return 'CURSOR_TOO_OLD'
    return tag === this.#tagAt(position) ? null : 'OTHER_HISTORY'
  }
}
