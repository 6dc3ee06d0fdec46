// Fair shares of a bounded queue. Each sender has a limit, so that none can fill the whole queue. If the queue is full anyway,
// the sender who holds the most makes room.

import { ParleyError } from '../errors.ts'

/** How much may wait: for each sender, and in all. A sender's share always has room for one input of any size. */
export type ShareLimits = {
  readonly each: { readonly inputs: number; readonly bytes: number }
  readonly all: { readonly inputs: number; readonly bytes: number }
}

type Share = { inputs: number; bytes: number }

/** Whether an input may wait: it may, it may in place of the newest input of `sender`, who holds the most, or it is refused. */
export type Room =
  | { readonly type: 'FREE' }
  | { readonly type: 'TAKEN_FROM'; readonly sender: number }
  | { readonly type: 'REFUSED'; readonly refusal: ParleyError }

/** The shares that senders hold of a queue. */
export class Shares {
  readonly #limits: ShareLimits
  readonly #shares = new Map<number, Share>()
  readonly #all: Share = { inputs: 0, bytes: 0 }

  constructor(limits: ShareLimits) {
    this.#limits = limits
  }

  /** How many inputs wait. */
  get inputs(): number {
    return this.#all.inputs
  }

  /** Decides whether an input of a sender may wait. After `TAKEN_FROM`, evict that input and call this again. */
  roomFor(sender: number, bytes: number): Room {
    const { each, all } = this.#limits
    const own = this.#shares.get(sender)
    if (own && (own.inputs >= each.inputs || own.bytes + bytes > each.bytes)) return { type: 'REFUSED', refusal: tooMuchOfOne() }
    if (this.#all.inputs < all.inputs && this.#all.bytes + bytes <= all.bytes) return { type: 'FREE' }
    const heaviest = this.#heaviest()
    const isOwn = heaviest === null || heaviest.sender === sender
    const after = { inputs: (own?.inputs ?? 0) + 1, bytes: (own?.bytes ?? 0) + bytes }
    if (isOwn || this.#weight(after) >= heaviest.weight) return { type: 'REFUSED', refusal: tooMuchInAll() }
    return { type: 'TAKEN_FROM', sender: heaviest.sender }
  }

  /** Counts an input that begins to wait. */
  take(sender: number, bytes: number): void {
    const own = this.#shares.get(sender) ?? { inputs: 0, bytes: 0 }
    this.#shares.set(sender, own)
    for (const share of [own, this.#all]) {
      share.inputs += 1
      share.bytes += bytes
    }
  }

  /** Uncounts an input that no longer waits. */
  giveBack(sender: number, bytes: number): void {
    const own = this.#shares.get(sender)
    if (!own) throw new Error('giveBack for a sender without a share')
    for (const share of [own, this.#all]) {
      share.inputs -= 1
      share.bytes -= bytes
    }
    if (own.inputs === 0) this.#shares.delete(sender)
  }

  /** The fraction of the queue that a share takes: by inputs or by bytes, whichever is larger. */
  #weight({ inputs, bytes }: Share): number {
    return Math.max(inputs / this.#limits.all.inputs, bytes / this.#limits.all.bytes)
  }

  #heaviest(): { readonly sender: number; readonly weight: number } | null {
    let heaviest: { sender: number; weight: number } | null = null
    for (const [sender, share] of this.#shares) {
      const weight = this.#weight(share)
      if (!heaviest || weight > heaviest.weight) heaviest = { sender, weight }
    }
    return heaviest
  }
}

/** The refusal of an input whose sender has too many others waiting. */
export function tooMuchOfOne(): ParleyError {
  return new ParleyError(
    'RATE_LIMITED',
    'Too many of your requests are waiting. Wait for an answer before you send the next one.',
    {
      retryAfterMs: 1_000,
    },
  )
}

/** The refusal of an input because the queue is full of other senders' inputs. */
export function tooMuchInAll(): ParleyError {
  return new ParleyError('UNAVAILABLE', 'The server is overloaded at the moment. Try again later.', { retryAfterMs: 1_000 })
}
