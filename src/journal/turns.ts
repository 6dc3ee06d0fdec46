// Turns of the event loop, shared out: what has to do with very many streams is done in slices, and between two of them the
// node hears its sockets, Postgres and Redis, so that one large conversation does not hold up the others.

/** Something that waits for its turn. */
export type Turnable = {
  /** Does its part; short, and never throws. */
  turn(): void
}

/** How many turns are taken before others get the event loop: a few milliseconds' worth of sends. */
const slice = 256

/** The turns of one node. */
export class Turns {
  readonly #waiting = new Set<Turnable>()
  #isSet = false

  /** Gives a turn to something, soon and in the order of asking; once, however often it asks before. */
  add(waiting: Turnable): void {
    this.#waiting.add(waiting)
    this.#set()
  }

  #set(): void {
    if (this.#isSet) return
    this.#isSet = true
    setImmediate(() => {
      this.#isSet = false
      let left = slice
      for (const waiting of this.#waiting) {
        this.#waiting.delete(waiting)
        waiting.turn()
        left -= 1
        if (left === 0) break
      }
      if (this.#waiting.size > 0) this.#set()
    })
  }
}
