// A bounded queue for work such as statements and password hashes: it limits how much runs at once, and lets waiting groups take
// turns. A client with a lot of work delays only itself.

import { ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'

/** The groups that a job belongs to, from the widest to the narrowest: for example a kind of request, an address, an account. */
export type Path = readonly string[]

/** The bounds of a queue. */
export type QueueBounds = {
  /** How many jobs run at once. */
  readonly atOnce: number
  /** How many jobs may wait in all, and with one path. */
  readonly waitingMax: number
  readonly waitingPerPathMax: number
  /** How long a job may wait, in milliseconds. */
  readonly waitMs: number
}

type WaitingJob = { readonly start: () => void; readonly refuse: (error: ParleyError) => void }

/**
 * A queue in which paths take turns, level by level. When it is full, it refuses the newest job of the largest group. It always
 * refuses with RATE_LIMITED.
 */
export class FairQueue {
  readonly #bounds: QueueBounds
  readonly #refusal: string
  readonly #waiting = new WaitingGroup()
  #running = 0

  /** @param refusal the message of a refusal */
  constructor(bounds: QueueBounds, refusal: string) {
    this.#bounds = bounds
    this.#refusal = refusal
  }

  /** Runs `work` when it is its turn. @throws ParleyError RATE_LIMITED */
  async run<T>(path: Path, work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#bounds.atOnce) await this.#turn(path)
    else this.#running += 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.take()
      if (next) next.start()
      else this.#running -= 1
    }
  }

  /** Waits until a running job has finished and hands over its place. */
  #turn(path: Path): Promise<void> {
    const { waitingMax, waitingPerPathMax, waitMs } = this.#bounds
    if (this.#waiting.count(path) >= waitingPerPathMax) throw this.#refused()
    return new Promise((resolve, reject) => {
      const job: WaitingJob = {
        start: () => {
          clearTimeout(limit)
          resolve()
        },
        refuse: (error) => {
          clearTimeout(limit)
          reject(error)
        },
      }
      const limit = setTimeout(() => {
        this.#waiting.remove(path, job)
        reject(this.#refused())
      }, waitMs)
      this.#waiting.add(path, job)
      if (this.#waiting.size > waitingMax) this.#waiting.dropNewestOfLargest()?.refuse(this.#refused())
    })
  }

  #refused(): ParleyError {
    return new ParleyError('RATE_LIMITED', this.#refusal, { retryAfterMs: 1_000 })
  }
}

/** A queue for each user, or for each of other keys. It exists while work of the user runs or waits. */
export class UserQueues<Key = UserId> {
  readonly #bounds: Omit<QueueBounds, 'waitingPerPathMax'>
  readonly #refusal: string
  readonly #queues = new Map<Key, { readonly queue: FairQueue; held: number }>()

  /**
   * @param bounds the bounds of each user
   * @param refusal the message of a refusal
   */
  constructor(bounds: Omit<QueueBounds, 'waitingPerPathMax'>, refusal: string) {
    this.#bounds = bounds
    this.#refusal = refusal
  }

  /** Runs `work` when it is its turn among the work of this user. @throws ParleyError RATE_LIMITED */
  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const { waitingMax } = this.#bounds
    const entry = this.#queues.get(key) ?? {
      queue: new FairQueue({ ...this.#bounds, waitingPerPathMax: waitingMax }, this.#refusal),
      held: 0,
    }
    this.#queues.set(key, entry)
    entry.held += 1
    try {
      return await entry.queue.run([], work)
    } finally {
      entry.held -= 1
      if (entry.held === 0) this.#queues.delete(key)
    }
  }
}

/** Waiting jobs, in groups within groups. The order of the map is the order of turns. */
class WaitingGroup {
  readonly #groups = new Map<string, WaitingGroup>()
  readonly #jobs: WaitingJob[] = []
  size = 0

  add([first, ...rest]: Path, job: WaitingJob): void {
    this.size += 1
    if (first === undefined) {
      this.#jobs.push(job)
      return
    }
    const group = this.#groups.get(first) ?? new WaitingGroup()
    this.#groups.set(first, group)
    group.add(rest, job)
  }

  /** How many jobs wait with exactly this path. */
  count([first, ...rest]: Path): number {
    return first === undefined ? this.#jobs.length : (this.#groups.get(first)?.count(rest) ?? 0)
  }

  /** Takes the next job, and moves its group to the end. */
  take(): WaitingJob | undefined {
    for (const [key, group] of this.#groups) {
      this.#groups.delete(key)
      const job = group.take()
      if (group.size > 0) this.#groups.set(key, group)
      this.size -= 1
      return job
    }
    const job = this.#jobs.shift()
    if (job) this.size -= 1
    return job
  }

  /** Removes the newest job of the largest group; of groups of equal size, of the one whose turn comes last. */
  dropNewestOfLargest(): WaitingJob | undefined {
    let largest: readonly [string, WaitingGroup] | undefined
    for (const entry of this.#groups) if (!largest || entry[1].size >= largest[1].size) largest = entry
    const job = largest ? largest[1].dropNewestOfLargest() : this.#jobs.pop()
    if (job) this.size -= 1
    if (largest?.[1].size === 0) this.#groups.delete(largest[0])
    return job
  }

  /** Removes a job. @returns whether it was there */
  remove([first, ...rest]: Path, job: WaitingJob): boolean {
    const group = first === undefined ? undefined : this.#groups.get(first)
    const at = this.#jobs.indexOf(job)
    const isRemoved = group ? group.remove(rest, job) : at >= 0 && this.#jobs.splice(at, 1).length > 0
    if (isRemoved) this.size -= 1
    if (first !== undefined && group?.size === 0) this.#groups.delete(first)
    return isRemoved
  }
}
