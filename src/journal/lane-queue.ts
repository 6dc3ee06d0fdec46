// The queue of a lane: each sender's items in order. Senders take turns, so a busy sender delays only itself, and each has a
// share of the queue, so a busy sender is refused before any other.

import type { ParleyError } from '../errors.ts'
import { type ShareLimits, Shares, tooMuchOfOne } from './shares.ts'

const batchMax = { inputs: 200, bytes: 262_144 } as const
const queueMax: ShareLimits = {
  each: { inputs: 1_000, bytes: 4_194_304 },
  all: { inputs: 10_000, bytes: 33_554_432 },
}

/** An item as the queue sees it. */
export type LaneItem = {
  readonly sender: number
  readonly bytes: number
  readonly deadline: number
  /** Only items with the same procedure go together. */
  readonly procedure: unknown
  reject(error: ParleyError): void
}

/** The queue of one lane. */
export class LaneQueue<Item extends LaneItem> {
  /** In the order of the senders' turns: a sender goes to the end after a turn. */
  readonly #queues = new Map<number, Item[]>()
  readonly #shares = new Shares(queueMax)
  readonly #onRefused: (sender: number, refusal: ParleyError) => void

  constructor(onRefused: (sender: number, refusal: ParleyError) => void) {
    this.#onRefused = onRefused
  }

  /** How many items wait. */
  get size(): number {
    return this.#shares.inputs
  }

  /** Adds an item, or rejects it. If the queue is full, the newest items of the sender with the most make room. */
  add(item: Item): void {
    for (;;) {
      const room = this.#shares.roomFor(item.sender, item.bytes)
      if (room.type === 'REFUSED') {
        this.#refuse(item, room.refusal)
        return
      }
      if (room.type === 'FREE') break
      const newest = this.#queues.get(room.sender)?.pop()
      if (!newest) throw new Error('a sender without waiting items has a share')
      this.#gone(newest)
      this.#refuse(newest, tooMuchOfOne())
    }
    const queue = this.#queues.get(item.sender)
    if (queue) queue.push(item)
    else this.#queues.set(item.sender, [item])
    this.#shares.take(item.sender, item.bytes)
  }

  /** Takes the next batch: items of one procedure, one per sender and turn, in each sender's order. */
  take(): Item[] {
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
        this.#shares.giveBack(sender, item.bytes)
        bytes += item.bytes
        batch.push(item)
        isStuck = false
      }
    }
    return batch
  }

  /** Takes all expired items: the first ones of each sender, since items wait in order of arrival. */
  takeExpired(now: number): Item[] {
    const expired: Item[] = []
    for (const queue of [...this.#queues.values()]) {
      const alive = queue.findIndex(({ deadline }) => deadline > now)
      for (const item of queue.splice(0, alive < 0 ? queue.length : alive)) {
        expired.push(item)
        this.#gone(item)
      }
    }
    return expired
  }

  #refuse(item: Item, refusal: ParleyError): void {
    this.#onRefused(item.sender, refusal)
    item.reject(refusal)
  }

  #gone({ sender, bytes }: Item): void {
    this.#shares.giveBack(sender, bytes)
    if (this.#queues.get(sender)?.length === 0) this.#queues.delete(sender)
  }
}
