// One request at a time writes to an upload, on all nodes together. The locks are advisory ones of Postgres, all of a node on one
// connection: when that breaks, or the node dies, they are free, and this node's uploads are told to stop.

import { setTimeout as delay } from 'node:timers/promises'
import pLimit from 'p-limit'
import { locks } from '../store/locks.ts'
import type { PooledClient, Store } from '../store/store.ts'

/** How often a waiting request tries again. */
const retryMs = 200

/** A lock that is held. */
export type UploadLock = { release(): Promise<void> }

/** The locks of uploads that a node holds. */
export class UploadLocks {
  readonly #store: Store
  /** By upload: asks the holder on this node to stop. */
  readonly #held = new Map<number, () => void>()
  #client: Promise<PooledClient> | null = null
  /** The open connection, until it has been given back. */
  #open: PooledClient | null = null
  #isClosed = false
  /** The driver takes one statement at a time. */
  readonly #turn = pLimit(1)

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Takes the lock of an upload. Asks a holder on this node to stop, because its client has come back.
   * @param stop called if the lock is wanted by another request of this node, or lost
   * @returns null if another request still has it after `waitMs`, or `signal` is aborted
   */
  async take(uploadId: number, waitMs: number, signal: AbortSignal, stop: () => void): Promise<UploadLock | null> {
    const until = performance.now() + waitMs
    for (;;) {
      this.#held.get(uploadId)?.()
      if (!this.#held.has(uploadId)) {
        this.#held.set(uploadId, stop)
        const isTaken = await this.#try(uploadId).catch((error: unknown) => {
          this.#held.delete(uploadId)
          throw error
        })
        if (isTaken) return { release: () => this.#release(uploadId, stop) }
        this.#held.delete(uploadId)
      }
      if (performance.now() >= until || signal.aborted || this.#isClosed) return null
      await delay(retryMs)
    }
  }

  /** Stops all holders, and frees the locks. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#client?.catch(() => undefined)
    this.#drop()
  }

  async #try(uploadId: number): Promise<boolean> {
    this.#client ??= this.#connect()
    const client = await this.#client
    const query = {
      name: 'upload_lock',
      text: 'select pg_try_advisory_lock($1, $2) as taken',
      values: [locks.upload, keyOf(uploadId)],
    }
    const { rows } = await this.#turn(() => client.query<{ taken: boolean }>(query))
    return rows[0]?.taken ?? false
  }

  async #release(uploadId: number, stop: () => void): Promise<void> {
    if (this.#held.get(uploadId) !== stop) return
    const values = [locks.upload, keyOf(uploadId)]
    const query = { name: 'upload_unlock', text: 'select pg_advisory_unlock($1, $2)', values }
    // If that fails, giving up the connection frees the lock.
    await this.#turn(async () => this.#open?.query(query)).catch(() => this.#drop())
    if (this.#held.get(uploadId) === stop) this.#held.delete(uploadId)
  }

  async #connect(): Promise<PooledClient> {
    try {
      const client = await this.#store.jobs.pool.connect()
      this.#open = client
      client.once('end', () => {
        if (this.#open === client) this.#drop()
      })
      if (this.#isClosed) this.#drop()
      return client
    } catch (error) {
      this.#client = null
      throw error
    }
  }

  /** Gives up the connection, which frees its locks, and stops who holds them. */
  #drop(): void {
    const [client, stops] = [this.#open, [...this.#held.values()]]
    this.#open = null
    this.#client = null
    this.#held.clear()
    for (const stop of stops) stop()
    client?.release(true)
  }
}

/** The second key of an advisory lock has 32 bits. Two uploads with the same key only wait for each other. */
const keyOf = (uploadId: number) => uploadId % 2_147_483_647
