// The way in for hot writes: batches by need. While one batch of a lane is in flight the next inputs gather behind it, then
// go as one CALL. A sender always uses the same lane and a lane has one batch in flight, retries before successors, so a
// sender's order holds; within a batch turns go round the senders, so that one of them delays only himself.

import type pg from 'pg'
import { ParleyError } from '../errors.ts'
import type { Log } from '../log.ts'
import { isTransient } from '../store/postgres.ts'
import type { Batch } from './batch.ts'
import { steps } from './steps.ts'

/** What a hot write is to the lanes: a procedure that takes many inputs at once and has an outcome for each. */
export type Procedure<Input, Outcome, Row> = {
  readonly name: string
  /** A CALL. The procedure commits by itself and flushes what it answers (B1), and a repeat of the same inputs must be safe. */
  readonly text: string
  /** The values of the CALL's parameters. */
  values(inputs: readonly Input[]): unknown[]
  /** The outcome of each input, and the facts that were appended (null where none was). */
  read(row: Row, inputs: readonly Input[]): { outcomes: readonly Outcome[]; batch: Batch | null }
}

const batchMax = { inputs: 200, bytes: 262_144 } as const
const queueMax = { inputs: 10_000, bytes: 33_554_432 } as const
/** How long an input waits for its answer. It may be committed all the same: a repeat is safe. */
const patienceMs = 10_000
const callMs = 5_000
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

  constructor(pool: pg.Pool, count: number, announce: (batch: Batch) => void, log: Log) {
    this.#lanes = Array.from({ length: count }, () => new Lane(pool, announce, log))
  }

  /**
   * Appends one input. Resolves with its outcome once that is committed; what it appended anew, this node's follower has.
   * `bytes` is what the input adds to a batch, roughly.
   * @throws ParleyError UNAVAILABLE when the queue is full, or Postgres gave no answer within 10 s.
   */
  append<Input, Outcome, Row>(
    procedure: Procedure<Input, Outcome, Row>,
    sender: number,
    bytes: number,
    input: Input,
  ): Promise<Outcome> {
    const lane = this.#lanes[sender % this.#lanes.length]
    if (!lane) throw new Error('there is no append lane')
    return new Promise<Outcome>((resolve, reject) => {
      lane.add({
        sender,
        bytes,
        deadline: Date.now() + patienceMs,
        procedure: procedure as unknown as Item['procedure'],
        input,
        resolve: resolve as Item['resolve'],
        reject,
      })
    })
  }

  /** Refuses new inputs, and lets those that wait be appended, within the time that each of them has. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }
}

class Lane {
  readonly #pool: pg.Pool
  readonly #announce: (batch: Batch) => void
  readonly #log: Log
  /** Each sender's items in order. The senders take turns: who was served goes to the end. */
  readonly #queues = new Map<number, Item[]>()
  #inputs = 0
  #bytes = 0
  #running: Promise<void> | null = null
  #isClosed = false

  constructor(pool: pg.Pool, announce: (batch: Batch) => void, log: Log) {
    this.#pool = pool
    this.#announce = announce
    this.#log = log
  }

  add(item: Item): void {
    const isFull = this.#inputs >= queueMax.inputs || this.#bytes + item.bytes > queueMax.bytes
    if (this.#isClosed || isFull) {
      item.reject(unavailable(isFull ? 'Too much is being written at the moment' : 'The server is closing', 1_000))
      return
    }
    const queue = this.#queues.get(item.sender)
    if (queue) queue.push(item)
    else this.#queues.set(item.sender, [item])
    this.#inputs += 1
    this.#bytes += item.bytes
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Inputs of the same turn of the event loop go together.
    await Promise.resolve()
    while (this.#inputs > 0) await this.#append(this.#take())
    this.#running = null
  }

  /** The next batch: items of one procedure, one a turn from each sender, in each sender's order. */
  #take(): Item[] {
    const batch: Item[] = []
    let bytes = 0
    let isStuck = false
    while (!isStuck) {
      isStuck = true
      for (const [sender, queue] of [...this.#queues]) {
        const [item] = queue
        if (!item || (batch[0] && item.procedure !== batch[0].procedure)) continue
        if (batch.length >= batchMax.inputs || (batch.length > 0 && bytes + item.bytes > batchMax.bytes)) return batch
        queue.shift()
        this.#queues.delete(sender)
        if (queue.length > 0) this.#queues.set(sender, queue)
        this.#inputs -= 1
        this.#bytes -= item.bytes
        bytes += item.bytes
        batch.push(item)
        isStuck = false
      }
    }
    return batch
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
          this.#log.warn({ err: error, inputs: items.length }, 'an append is tried again')
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
    const now = Date.now()
    const [expired, alive] = [items.filter((i) => i.deadline <= now), items.filter((i) => i.deadline > now)]
    for (const item of expired) item.reject(unavailable('The database gave no answer in time', 1_000))
    for (const [sender, queue] of this.#queues) {
      const late = queue.filter((item) => item.deadline <= now)
      for (const item of late) {
        this.#inputs -= 1
        this.#bytes -= item.bytes
        item.reject(unavailable('The database gave no answer in time', 1_000))
      }
      // Items wait in the order in which they came, so the late ones are the first.
      queue.splice(0, late.length)
      if (queue.length === 0) this.#queues.delete(sender)
    }
    return alive
  }
}

function unavailable(message: string, retryAfterMs: number): ParleyError {
  return new ParleyError('UNAVAILABLE', message, { retryAfterMs })
}
