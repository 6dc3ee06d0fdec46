// Runs rare writes: an ordinary transaction over S tables that inserts one journal_request, whose facts a deferred trigger
// numbers inside COMMIT. So no transaction holds the journal's lock across a round trip. All facts of rare writes go through
// here; frequent actions never do.

import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { notFound, ParleyError } from '../errors.ts'
import type { Position } from '../id.ts'
import { isTransient, sqlStateOf } from '../store/postgres.ts'
import type { Reader } from '../store/reader.ts'
import { statement } from '../store/reader.ts'
import type { PrismaClient, Transaction } from '../store/store.ts'
import type { Batch } from './batch.ts'
import type { Fact, NewFact, Place } from './fact.ts'
import { steps } from './steps.ts'
import { factColumns } from './tables.ts'

/** The outcome of a rare write's work: its result, and the facts to append (none if it changed nothing). */
export type Work<T> = { readonly result: T; readonly facts: readonly NewFact[] }

/** A committed rare write. `place` is that of its last fact; null if it had none. */
export type Written<T> = { readonly result: T; readonly place: Place | null }

const attemptsMax = 4
const factsByTag = statement<Fact>(
  'journal_facts_by_tag',
  `select ${factColumns} from fact f where f.position >= $1 and f.tag = $2 order by f.position`,
)
const factAt = statement<Fact>('journal_fact_at', `select ${factColumns} from fact f where f.position = $1`)

/** Runs rare writes for one node. */
export class Writer {
  readonly #prisma: PrismaClient
  readonly #reader: Reader
  readonly #flush: () => Promise<void>
  readonly #position: () => Position
  readonly #announce: (batch: Batch) => void

  constructor(
    prisma: PrismaClient,
    reader: Reader,
    flush: () => Promise<void>,
    position: () => Position,
    announce: (batch: Batch) => void,
  ) {
    this.#prisma = prisma
    this.#reader = reader
    this.#flush = flush
    this.#position = position
    this.#announce = announce
  }

  /**
   * Runs `work` in a READ COMMITTED transaction, numbers its facts in the COMMIT, flushes, and gives the facts to this node's
   * follower. Lock rows with FOR NO KEY UPDATE in this order: conversation, then members by ID. Retries deadlocks.
   * @throws ParleyError NOT_FOUND if an actor of a fact has left the conversation in the meantime; UNAVAILABLE if Postgres failed
   *   and no write was visible within 2 s, or if the flush failed; any error of `work`, with nothing written
   */
  async write<T>(work: (tx: Transaction) => Promise<Work<T>>): Promise<Written<T>> {
    for (let attempt = 1; ; attempt += 1) {
      const tag = randomInt(1, 2 ** 31 - 1)
      const from = this.#position()
      let done: Work<T> | undefined
      try {
        await this.#prisma.$transaction(
          async (tx) => {
            done = await work(tx)
            const facts = JSON.stringify(done.facts)
            if (done.facts.length > 0)
              await tx.$executeRaw`insert into journal_request(tag, facts) values (${tag}, ${facts}::jsonb)`
          },
          { isolationLevel: 'ReadCommitted' },
        )
        if (!done) throw new Error('the transaction ended without running its work')
        steps.writeCommitted.publish({ tag })
        return await this.#finish(done, from, tag)
      } catch (error) {
        if (error instanceof ParleyError) throw error
        const state = sqlStateOf(error)
        if (state === 'PY403') throw notFound('Conversation')
        if ((state === '40P01' || state === '40001') && attempt < attemptsMax) continue
        if (!isTransient(error)) throw error
        // COMMIT may have succeeded and only its answer be lost: look for the tag.
        if (done && done.facts.length > 0 && (await this.#wasCommitted(from, tag))) {
          const finished = await this.#finish(done, from, tag).catch(() => null)
          if (finished) return finished
        }
        throw unavailable(error)
      }
    }
  }

  async #finish<T>({ result, facts }: Work<T>, from: Position, tag: number): Promise<Written<T>> {
    // COMMIT did not wait for the disk. Even work that changed nothing may rest on data that is not on disk yet.
    await this.#flush()
    if (facts.length === 0) return { result, place: null }
    const numbered = await this.#reader.rows(factsByTag, [from, tag])
    const [first] = numbered
    const last = numbered.at(-1)
    // Postgres crashed between commit and flush, and lost the commit: nothing was written.
    if (!first || !last) throw unavailable(new Error(`the facts with the tag ${tag} are not in the journal`))
    const [before] = await this.#reader.rows(factAt, [first.position - 1])
    steps.writeFlushed.publish({ tag, position: first.position, facts: numbered.length })
    this.#announce({ previousTag: before?.tag ?? 0, facts: numbered, rows: [] })
    steps.writeAnnounced.publish({ tag })
    return { result, place: { position: last.position, tag } }
  }

  async #wasCommitted(from: Position, tag: number): Promise<boolean> {
    for (const waitMs of [100, 500, 1_500]) {
      await delay(waitMs)
      const facts = await this.#reader.rows(factsByTag, [from, tag]).catch(() => [])
      if (facts.length > 0) return true
    }
    return false
  }
}

function unavailable(cause: unknown): ParleyError {
  return new ParleyError('UNAVAILABLE', 'The database did not answer.', { cause, retryAfterMs: 1_000 })
}
