// Fair shares of a bounded queue. Each sender has a bound of their own, so that one of them fills only a part of it; and when it
// is full all the same, room for a sender is made by whoever holds the most.

import { ParleyError } from '../errors.ts'

/** How much may wait: for one sender, and in all. One input always has room in its sender's share, however large it is. */
export type ShareLimits = {
  readonly each: { readonly inputs: number; readonly bytes: number }
  readonly all: { readonly inputs: number; readonly bytes: number }
}

type Share = { inputs: number; bytes: number }

/** What an input may do: wait, wait in place of the newest input of the sender who holds the most, or be refused. */
export type Room =
  | { readonly type: 'FREE' }
  | { readonly type: 'TAKEN_FROM'; readonly sender: number }
  | { readonly type: 'REFUSED'; readonly refusal: ParleyError }

/** Who holds how much of a queue. */
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

  /** Decides whether an input of a sender may wait. After `TAKEN_FROM` it is to be asked again. */
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

  /** Counts an input that waits from now on. */
  take(sender: number, bytes: number): void {
    const own = this.#shares.get(sender) ?? { inputs: 0, bytes: 0 }
    this.#shares.set(sender, own)
    for (const share of [own, this.#all]) {
      share.inputs += 1
      share.bytes += bytes
    }
  }

  /** Counts an input that waits no longer. */
  giveBack(sender: number, bytes: number): void {
    const own = this.#shares.get(sender)
    if (!own) throw new Error('a sender without a share gives something back')
    for (const share of [own, this.#all]) {
      share.inputs -= 1
      share.bytes -= bytes
    }
    if (own.inputs === 0) this.#shares.delete(sender)
  }

  /** The part of the whole queue that a share is, by what it has more of. */
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

/** The refusal of an input where the queue is full of what others sent. */
export function tooMuchInAll(): ParleyError {
  return new ParleyError('UNAVAILABLE', 'The server is overloaded at the moment. Try again later.', { retryAfterMs: 1_000 })
}
