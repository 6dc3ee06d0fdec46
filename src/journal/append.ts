// The way in for hot writes: batches by need. While one batch of a lane is in flight the next inputs gather behind it, then
// go as one CALL. A sender always uses the same lane and a lane has one batch in flight, retries before successors, so a
// sender's order holds; within a batch turns go round the senders, so that one of them delays only himself.

import type pg from 'pg'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { RepeatLog } from '../repeats.ts'
import { isTransient } from '../store/postgres.ts'
import type { Batch } from './batch.ts'
import { LaneQueue } from './lane-queue.ts'
import { steps } from './steps.ts'

/**
 * A procedure of a feature: it takes many inputs at once and has an outcome for each. `Row` is what its CALL answers.
 */
export type Procedure<Input, Outcome, Row = never> = {
  readonly name: string
  /** A CALL. The procedure commits by itself and flushes what it answers (B1), and a repeat of the same inputs must be safe. */
  readonly text: string
  /** What an input adds to a batch, in bytes, roughly. */
  bytesOf(input: Input): number
  /** The values of the CALL's parameters. */
  values(inputs: readonly Input[]): unknown[]
  /** The outcome of each input, and the facts that were appended (null where none was). */
  read(row: Row, inputs: readonly Input[]): { outcomes: readonly Outcome[]; batch: Batch | null }
}

/** How long an input waits for its answer. It may be committed all the same: a repeat is safe. */
const patienceMs = 10_000
const callMs = 5_000
/** How often a lane looks for inputs whose time is over. */
const lookMs = 200
/** How long a lane that closes still tries. */
const closingMs = 2_000
const retryMs = 50

// A lane holds items of several procedures; only `Item` knows that its parts belong together.
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
   * Appends one input. Resolves with its outcome once that is committed; what it appended anew, this node's follower has.
   * `key` names the sender, whose turns and share of the queue it takes; what a sender appends stays in order.
   * @throws ParleyError RATE_LIMITED when too many inputs of this sender wait; UNAVAILABLE when the queue is full of others', or
   *   Postgres gave no answer within 10 s.
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

  /** Refuses new inputs, and lets those that wait be appended, within 2 s. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }
}

class Lane {
  readonly #pool: pg.Pool
  readonly #announce: (batch: Batch) => void
  readonly #log: Log
  readonly #queue: LaneQueue<Item>
  /** What was taken from the queue and is not answered yet. */
  #taken: readonly Item[] = []
  #running: Promise<void> | null = null
  /** When all that is left is given up; infinite while the lane is open. */
  #closesAt = Number.POSITIVE_INFINITY
  readonly #clock: NodeJS.Timeout

  constructor(pool: pg.Pool, announce: (batch: Batch) => void, log: Log, repeats: RepeatLog) {
    this.#pool = pool
    this.#announce = announce
    this.#log = log
    this.#queue = new LaneQueue((sender, refusal) => {
      repeats.note('warn', `${sender}`, { sender, code: refusal.code }, 'an append was refused: the queue is full')
    })
    // A call to a Postgres that is frozen takes longer than the inputs in it have.
    this.#clock = setInterval(() => {
      if (this.#taken.length > 0) this.#withoutExpired(this.#taken)
    }, lookMs)
  }

  add(item: Item): void {
    if (this.#closesAt < Number.POSITIVE_INFINITY) {
      item.reject(unavailable('The server is shutting down.', 1_000))
      return
    }
    this.#queue.add(item)
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#closesAt = Date.now() + closingMs
    await this.#running
    clearInterval(this.#clock)
  }

  async #run(): Promise<void> {
    // Inputs of the same turn of the event loop go together.
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
          // The answer is lost, the batch perhaps not: it is sent again before anything else of this lane.
          this.#log.debug({ err: error, inputs: items.length }, 'an append is tried again')
          await new Promise((resolve) => setTimeout(resolve, retryMs))
          items = this.#withoutExpired(items)
        } else if (items.length > 1) {
          // One input spoils the batch in a way that was not foreseen: halve until it stands alone.
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
      steps.appendCalling.publish({ inputs: items.length })
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
    steps.appendCommitted.publish({ inputs: items.length })
    if (batch) this.#announce(batch)
    steps.appendAnnounced.publish({ inputs: items.length })
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
