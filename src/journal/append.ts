// Appends hot writes in batches. While a lane has a batch under way, new inputs gather behind it and then go as one CALL. A
// sender always uses the same lane, and a lane has one batch under way and retries it before the next, so a sender's order
// holds. Senders take turns within a batch, so a busy sender delays only itself.

import type pg from 'pg'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { RepeatLog } from '../log/repeats.ts'
import { isTransient } from '../store/postgres.ts'
import type { Batch } from './batch.ts'
import { LaneQueue } from './lane-queue.ts'
import { steps } from './steps.ts'

/** A procedure of a feature: takes many inputs at once and has an outcome for each. `Row` is the row that its CALL returns. */
export type Procedure<Input, Outcome, Row = never> = {
  readonly name: string
  /** A CALL. The procedure commits by itself and flushes before it answers (B1). Repeating the same inputs must be safe. */
  readonly text: string
  /** The approximate size of an input in a batch, in bytes. */
  bytesOf(input: Input): number
  /** The values of the CALL's parameters. */
  values(inputs: readonly Input[]): unknown[]
  /** Reads the outcome of each input and the appended facts; `batch` is null if there are none. */
  read(row: Row, inputs: readonly Input[]): { outcomes: readonly Outcome[]; batch: Batch | null }
}

/** How long an input waits for its answer. It may be committed even after that: a repeat is safe. */
const patienceMs = 10_000
const callMs = 5_000
/** How often a lane looks for expired inputs. */
const lookMs = 200
/** How long a closing lane keeps trying. */
const closingMs = 2_000
const retryMs = 50

// A lane holds items of several procedures. Nothing but the item itself ties a procedure to the types of its input and outcome.
type Item = {
  readonly sender: number
  readonly bytes: number
  readonly deadline: number
  readonly procedure: Procedure<unknown, unknown, unknown>
  readonly input: unknown
  resolve(outcome: unknown): void
  reject(error: unknown): void
}

/** The append lanes of one node. */
export class Lanes {
  readonly #lanes: readonly Lane[]

  constructor(pool: pg.Pool, count: number, announce: (batch: Batch) => void, log: Log, repeats: RepeatLog) {
    this.#lanes = Array.from({ length: count }, () => new Lane(pool, announce, log, repeats))
  }

  /**
   * Appends one input. Resolves with its outcome once that is committed and this node's follower has the new facts. `key`
   * identifies the sender: its inputs share its turns and its part of the queue, and stay in order.
   * @throws ParleyError RATE_LIMITED if too many inputs of this sender wait; UNAVAILABLE if the queue is full of other senders'
   *   inputs, or if Postgres does not answer within 10 s
   */
  append<Input, Outcome>(procedure: Procedure<Input, Outcome>, key: number, input: Input): Promise<Outcome> {
    const lane = this.#lanes[Math.abs(key) % this.#lanes.length]
    if (!lane) throw new Error('there is no append lane')
    return new Promise<Outcome>((resolve, reject) => {
      lane.add({
        sender: key,
        bytes: procedure.bytesOf(input),
        deadline: Date.now() + patienceMs,
        procedure: procedure as unknown as Item['procedure'],
        input,
        resolve: resolve as Item['resolve'],
        reject,
      })
    })
  }

  /** How many inputs wait, on each lane. */
  lengths(): readonly number[] {
    return this.#lanes.map((lane) => lane.length)
  }

  /** Refuses new inputs, and appends the waiting ones within 2 s. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }
}

class Lane {
  readonly #pool: pg.Pool
  readonly #announce: (batch: Batch) => void
  readonly #log: Log
  readonly #queue: LaneQueue<Item>
  /** Items taken from the queue and not yet answered. */
  #taken: readonly Item[] = []
  #running: Promise<void> | null = null
  /** When the lane gives up on all remaining items; infinite while it is open. */
  #closesAt = Number.POSITIVE_INFINITY
  readonly #clock: NodeJS.Timeout

  constructor(pool: pg.Pool, announce: (batch: Batch) => void, log: Log, repeats: RepeatLog) {
    this.#pool = pool
    this.#announce = announce
    this.#log = log
    this.#queue = new LaneQueue((sender, refusal) => {
      repeats.note('warn', `${sender}`, { sender, code: refusal.code }, 'an append was refused: the queue is full')
    })
    // A call to a frozen Postgres lasts longer than its inputs may wait.
    this.#clock = setInterval(() => {
      if (this.#taken.length > 0) this.#withoutExpired(this.#taken)
    }, lookMs)
  }

  get length(): number {
    return this.#queue.size
  }

  add(item: Item): void {
    if (this.#closesAt < Number.POSITIVE_INFINITY) {
      item.reject(unavailable('The server is shutting down.', 1_000))
      return
    }
    this.#queue.add(item)
    steps.appendQueued.publish({ item })
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#closesAt = Date.now() + closingMs
    await this.#running
    clearInterval(this.#clock)
  }

  async #run(): Promise<void> {
    // Inputs from the same turn of the event loop go together.
    await Promise.resolve()
    while (this.#queue.size > 0) {
      this.#taken = this.#queue.take()
      await this.#append(this.#taken)
    }
    this.#taken = []
    this.#running = null
  }

  /** Appends a batch. Never throws: each item gets its outcome or an error. */
  async #append(batch: readonly Item[]): Promise<void> {
    let items = this.#withoutExpired(batch)
    const procedure = items[0]?.procedure
    while (procedure && items.length > 0) {
      try {
        return this.#settle(procedure, items, await this.#call(procedure, items))
      } catch (error) {
        if (isTransient(error)) {
          // The answer is lost, but the batch may be committed: send it again before anything else in this lane.
          this.#log.debug({ err: error, inputs: items.length }, 'retrying an append')
          await new Promise((resolve) => setTimeout(resolve, retryMs))
          items = this.#withoutExpired(items)
        } else if (items.length > 1) {
          // One input breaks the batch in an unforeseen way: halve the batch until that input is alone.
          const half = Math.ceil(items.length / 2)
          await this.#append(items.slice(0, half))
          return this.#append(items.slice(half))
        } else {
          return items[0]?.reject(error)
        }
      }
    }
  }

  async #call(procedure: Item['procedure'], items: readonly Item[]): Promise<unknown> {
    const client = await this.#pool.connect()
    let isUsable = false
    try {
      const values = procedure.values(items.map(({ input }) => input))
      const query = { name: procedure.name, text: procedure.text, values, query_timeout: callMs }
      steps.appendCalling.publish({ inputs: items.length, items })
      const { rows } = await client.query<pg.QueryResultRow>(query)
      isUsable = true
      return rows[0]
    } catch (error) {
      isUsable = !isTransient(error)
      throw error
    } finally {
      client.release(!isUsable)
    }
  }

  #settle(procedure: Item['procedure'], items: readonly Item[], row: unknown): void {
    const { outcomes, batch } = procedure.read(
      row,
      items.map(({ input }) => input),
    )
    steps.appendCommitted.publish({ inputs: items.length, items, outcomes })
    if (batch) this.#announce(batch)
    steps.appendAnnounced.publish({ inputs: items.length, items })
    for (const [i, item] of items.entries()) item.resolve(outcomes[i])
    steps.appendAnswered.publish({ inputs: items.length })
  }

  #withoutExpired(items: readonly Item[]): Item[] {
    const now = Date.now() < this.#closesAt ? Date.now() : Number.POSITIVE_INFINITY
    const [late, alive] = [items.filter((i) => i.deadline <= now), items.filter((i) => i.deadline > now)]
    for (const item of [...late, ...this.#queue.takeExpired(now)])
      item.reject(unavailable('The database did not answer in time.', 1_000))
    return alive
  }
}

function unavailable(message: string, retryAfterMs: number): ParleyError {
  return new ParleyError('UNAVAILABLE', message, { retryAfterMs })
}
