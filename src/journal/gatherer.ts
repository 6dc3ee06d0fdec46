// What happens too often for a statement each time is gathered: inputs with one key wait for each other and are written (or
// looked up) together, at most once in an interval. The first one after a quiet interval does not wait.

import { ParleyError } from '../errors.ts'

/** How many inputs may wait, over all keys. */
const waitingMax = 10_000

type Waiting<Input, Outcome> = { readonly input: Input; resolve(outcome: Outcome): void; reject(error: unknown): void }

/** What waits for one key. `isRunning`: a write is under way; `timer`: runs while the interval of the last write does. */
type Gathering<Input, Outcome> = {
  waiting: Waiting<Input, Outcome>[]
  isRunning: boolean
  timer: NodeJS.Timeout | null
}

/** Gathers inputs by key. `write` takes all that wait for a key, and gives the outcome of each. */
export class Gatherer<Input, Outcome> {
  readonly #everyMs: number
  readonly #write: (key: number, inputs: readonly Input[]) => Promise<readonly Outcome[]>
  readonly #byKey = new Map<number, Gathering<Input, Outcome>>()
  readonly #running = new Set<Promise<void>>()
  #count = 0
  #isClosed = false

  constructor(everyMs: number, write: (key: number, inputs: readonly Input[]) => Promise<readonly Outcome[]>) {
    this.#everyMs = everyMs
    this.#write = write
  }

  /**
   * Adds an input. Resolves with its outcome when it is written: at once, or when the interval of the last write is over.
   * @throws ParleyError UNAVAILABLE where too many wait or the node is closing; whatever `write` throws.
   */
  add(key: number, input: Input): Promise<Outcome> {
    if (this.#isClosed || this.#count >= waitingMax) {
      const message = this.#isClosed ? 'The server is closing' : 'Too much is waiting at the moment'
      return Promise.reject(new ParleyError('UNAVAILABLE', message, { retryAfterMs: 1_000 }))
    }
    const gathering = this.#byKey.get(key) ?? { waiting: [], isRunning: false, timer: null }
    this.#byKey.set(key, gathering)
    this.#count += 1
    return new Promise((resolve, reject) => {
      gathering.waiting.push({ input, resolve, reject })
      // Inputs of one turn of the event loop go together.
      if (gathering.waiting.length === 1) queueMicrotask(() => this.#go(key, gathering))
    })
  }

  /** Writes what waits, at once, and waits for it. New inputs are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const [key, gathering] of this.#byKey) {
      if (gathering.timer) clearTimeout(gathering.timer)
      gathering.timer = null
      this.#go(key, gathering)
    }
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #go(key: number, gathering: Gathering<Input, Outcome>): void {
    if (gathering.isRunning || gathering.timer || gathering.waiting.length === 0) return
    const taken = gathering.waiting
    gathering.waiting = []
    gathering.isRunning = true
    if (!this.#isClosed) {
      gathering.timer = setTimeout(() => {
        gathering.timer = null
        this.#next(key, gathering)
      }, this.#everyMs)
    }
    const run = this.#settle(key, taken).finally(() => {
      this.#running.delete(run)
      gathering.isRunning = false
      this.#next(key, gathering)
    })
    this.#running.add(run)
  }

  /** Goes on with what waits; forgets the key where nothing does. */
  #next(key: number, gathering: Gathering<Input, Outcome>): void {
    if (gathering.isRunning || gathering.timer) return
    if (gathering.waiting.length === 0) this.#byKey.delete(key)
    else this.#go(key, gathering)
  }

  async #settle(key: number, taken: readonly Waiting<Input, Outcome>[]): Promise<void> {
    try {
      const outcomes = await this.#write(
        key,
        taken.map(({ input }) => input),
      )
      for (const [i, { resolve }] of taken.entries()) resolve(outcomes[i] as Outcome)
    } catch (error) {
      for (const { reject } of taken) reject(error)
    } finally {
      this.#count -= taken.length
    }
  }
}
