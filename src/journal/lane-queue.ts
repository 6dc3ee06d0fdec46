// What waits in a lane: each sender's items in order. The senders take turns, so that who sends much delays only themselves,
// and each has a share of the room, so that who sends much is refused before anybody else.

import type { ParleyError } from '../errors.ts'
import { type ShareLimits, Shares, tooMuchOfOne } from './shares.ts'

const batchMax = { inputs: 200, bytes: 262_144 } as const
const queueMax: ShareLimits = {
  each: { inputs: 1_000, bytes: 4_194_304 },
  all: { inputs: 10_000, bytes: 33_554_432 },
}

/** What a lane's queue needs to know of an item. */
export type LaneItem = {
  readonly sender: number
  readonly bytes: number
  readonly deadline: number
  /** Items of one procedure may go together. */
  readonly procedure: unknown
  reject(error: ParleyError): void
}

/** The queue of one lane. */
export class LaneQueue<Item extends LaneItem> {
  /** Who was served goes to the end. */
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

  /** Lets an item wait, or rejects it. In a full queue the newest items of the sender with the most make room for it. */
  add(item: Item): void {
    for (;;) {
      const room = this.#shares.roomFor(item.sender, item.bytes)
      if (room.type === 'REFUSED') {
        this.#refuse(item, room.refusal)
        return
      }
      if (room.type === 'FREE') break
      const newest = this.#queues.get(room.sender)?.pop()
      if (!newest) throw new Error('a share of nothing that waits')
      this.#gone(newest)
      this.#refuse(newest, tooMuchOfOne())
    }
    const queue = this.#queues.get(item.sender)
    if (queue) queue.push(item)
    else this.#queues.set(item.sender, [item])
    this.#shares.take(item.sender, item.bytes)
  }

  /** Takes the next batch: items of one procedure, one a turn from each sender, in each sender's order. */
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

  /** Takes out what waits for too long: the first ones of each sender, since items wait in the order in which they came. */
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
