// Round robin among users: does the work of very many streams in short slices of the event loop, one stream of each user in turn.
// Between slices the node serves its sockets, Postgres and Redis. So a large conversation does not hold up the others, and a user
// with many streams does not delay a user with one.
//
// This is for many small steps of a few microseconds each, so it neither allocates nor measures anything per step. Executions are
// few and may be long, so the fair scheduler (graphql/fair-scheduler.ts) charges each user for the time that they take.

/** Something that waits for its turn. */
export type TurnTaker = {
  /** Does a short piece of work. Never throws. */
  turn(): void
}

/** The user whose turn takers wait. */
export type TurnOwner = { readonly waiting: Set<TurnTaker> }

/** How long a slice lasts before other work gets the event loop, in milliseconds. */
const sliceMs = 3

/** The streams of one node that wait for a turn. */
export class RoundRobin {
  /** The owners with waiting turn takers, in the order of their turns. */
  readonly #owners = new Set<TurnOwner>()
  #isSet = false

  /** Queues a turn taker for one turn, in the order of calls. Does nothing if it already waits. */
  add(owner: TurnOwner, waiting: TurnTaker): void {
    owner.waiting.add(waiting)
    this.#owners.add(owner)
    this.#set()
  }

  #set(): void {
    if (this.#isSet) return
    this.#isSet = true
    setImmediate(() => {
      this.#isSet = false
      const until = performance.now() + sliceMs
      for (const owner of this.#owners) {
        this.#owners.delete(owner)
        takeOne(owner)
        if (owner.waiting.size > 0) this.#owners.add(owner)
        if (performance.now() >= until) break
      }
      if (this.#owners.size > 0) this.#set()
    })
  }
}

/** Gives a turn to the turn taker that has waited longest. */
function takeOne({ waiting }: TurnOwner): void {
  for (const first of waiting) {
    waiting.delete(first)
    first.turn()
    return
  }
}
