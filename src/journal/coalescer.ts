// A coalescer turns many inputs into few statements: inputs with the same key gather and are written (or looked up) together, at
// most once per interval. The first input after a quiet interval does not wait.

import { ParleyError } from '../errors.ts'
import { type ShareLimits, Shares, tooMuchInAll, tooMuchOfOne } from './shares.ts'

/** How many inputs may wait over all keys: for each sender, and in all. */
const waitingMax: ShareLimits = {
  each: { inputs: 500, bytes: Number.POSITIVE_INFINITY },
  all: { inputs: 10_000, bytes: Number.POSITIVE_INFINITY },
}

type CoalescedInput<Input, Outcome> = {
  readonly sender: number
  readonly input: Input
  resolve(outcome: Outcome): void
  reject(error: unknown): void
}

/** The inputs that wait under a key. `isRunning`: a write is under way. `timer`: the interval since the last one is not over. */
type CoalescerKey<Input, Outcome> = {
  waiting: CoalescedInput<Input, Outcome>[]
  isRunning: boolean
  timer: NodeJS.Timeout | null
}

/** Coalesces inputs by key. `write` takes all inputs that wait under a key and returns the outcome of each. */
export class Coalescer<Input, Outcome, Key extends number = number> {
  readonly #everyMs: number
  readonly #write: (key: Key, inputs: readonly Input[]) => Promise<readonly Outcome[]>
  readonly #byKey = new Map<Key, CoalescerKey<Input, Outcome>>()
  readonly #running = new Set<Promise<void>>()
  readonly #shares = new Shares(waitingMax)
  #isClosed = false

  constructor(everyMs: number, write: (key: Key, inputs: readonly Input[]) => Promise<readonly Outcome[]>) {
    this.#everyMs = everyMs
    this.#write = write
  }

  /**
   * Adds an input of a sender: it is written at once, or when the interval since the last write is over. Resolves with its
   * outcome.
   * @throws ParleyError RATE_LIMITED if too many inputs of this sender wait, UNAVAILABLE if too many of other senders wait or the
   *   node is closing; any error of `write`
   */
  add(key: Key, sender: number, input: Input): Promise<Outcome> {
    const refusal = this.#isClosed ? closing() : this.#makeRoom(sender)
    if (refusal) return Promise.reject(refusal)
    const entry = this.#byKey.get(key) ?? { waiting: [], isRunning: false, timer: null }
    this.#byKey.set(key, entry)
    this.#shares.take(sender, 0)
    return new Promise((resolve, reject) => {
      entry.waiting.push({ sender, input, resolve, reject })
      // Inputs from the same turn of the event loop go together.
      if (entry.waiting.length === 1) queueMicrotask(() => this.#go(key, entry))
    })
  }

  /** Refuses new inputs, writes the waiting ones at once, and waits for the writes. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const [key, entry] of this.#byKey) {
      if (entry.timer) clearTimeout(entry.timer)
      entry.timer = null
      this.#go(key, entry)
    }
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Makes room for an input, if need be by evicting one of the sender with the most. @returns the refusal if there is no room */
  #makeRoom(sender: number): ParleyError | null {
    for (;;) {
      const room = this.#shares.roomFor(sender, 0)
      if (room.type === 'FREE') return null
      if (room.type === 'REFUSED') return room.refusal
      const evicted = this.#takeNewestOf(room.sender)
      if (!evicted) return tooMuchInAll() // all of that sender's inputs are being written
      this.#shares.giveBack(room.sender, 0)
      evicted.reject(tooMuchOfOne())
    }
  }

  /** Takes the newest input that a sender has under the most recently added key. */
  #takeNewestOf(sender: number): CoalescedInput<Input, Outcome> | null {
    for (const { waiting } of [...this.#byKey.values()].reverse()) {
      const at = waiting.findLastIndex((one) => one.sender === sender)
      if (at >= 0) return waiting.splice(at, 1)[0] ?? null
    }
    return null
  }

  #go(key: Key, entry: CoalescerKey<Input, Outcome>): void {
    if (entry.isRunning || entry.timer || entry.waiting.length === 0) return
    const taken = entry.waiting
    entry.waiting = []
    entry.isRunning = true
    if (!this.#isClosed) {
      entry.timer = setTimeout(() => {
        entry.timer = null
        this.#next(key, entry)
      }, this.#everyMs)
    }
    const run = this.#settle(key, taken).finally(() => {
      this.#running.delete(run)
      entry.isRunning = false
      this.#next(key, entry)
    })
    this.#running.add(run)
  }

  /** Continues with the inputs that wait; forgets the key if there are none. */
  #next(key: Key, entry: CoalescerKey<Input, Outcome>): void {
    if (entry.isRunning || entry.timer) return
    if (entry.waiting.length === 0) this.#byKey.delete(key)
    else this.#go(key, entry)
  }

  async #settle(key: Key, taken: readonly CoalescedInput<Input, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#write(
        key,
        taken.map(({ input }) => input),
      )
      for (const [i, { resolve }] of taken.entries()) resolve(outcomes[i] as Outcome)
    } catch (error) {
      for (const { reject } of taken) reject(error)
    } finally {
      for (const { sender } of taken) this.#shares.giveBack(sender, 0)
    }
  }
}

function closing(): ParleyError {
  return new ParleyError('UNAVAILABLE', 'The server is shutting down.', { retryAfterMs: 1_000 })
}
