// Round robin among users: the work of very many streams is done in short slices of the event loop, one stream of each user in
// turn. Between two slices the node serves its sockets, Postgres and Redis, so one large conversation does not hold up the others,
// and the many streams of one user do not come before the one stream of another.
//
// This is for many small steps, each a few microseconds: nothing is allocated or measured for one of them. Executions are few
// and may be long, so the fair scheduler (graphql/fair-scheduler.ts) charges each user the time that theirs take.

/** Something that waits for its turn. */
export type TurnTaker = {
  /** Does its part; short, and never throws. */
  turn(): void
}

/** Whose things wait: a user. */
export type TurnOwner = { readonly waiting: Set<TurnTaker> }

/** How long turns are taken before others get the event loop. */
const sliceMs = 3

/** The streams of one node that wait for a turn. */
export class RoundRobin {
  /** Those who have something that waits, in the order of their turns. */
  readonly #owners = new Set<TurnOwner>()
  #isSet = false

  /** Gives a turn to something, soon and in the order of asking; once, however often it asks before. */
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

/** Gives a turn to what has waited longest. */
function takeOne({ waiting }: TurnOwner): void {
  for (const first of waiting) {
    waiting.delete(first)
    first.turn()
    return
  }
}
