// Round robin among users: does the work of very many streams in short slices of the event loop, a few streams of each user in
// turn. Between slices the node serves its sockets, Postgres and Redis. So a large conversation does not hold up the others, and a
// user with many streams does not delay a user with one.
//
// This is for many small steps of a few microseconds each, so it neither allocates nor measures anything per step. Executions are
// few and may be long, so the fair scheduler (graphql/fair-scheduler.ts) charges each user for the time that they take.

/** Something that waits for its turn. */
export type TurnTaker = {
  /** Whether it waits. Only the round robin writes it. */
  isWaiting: boolean
  /** Does a short piece of work. Never throws. */
  turn(): void
}

/** The user whose turn takers wait. Only the round robin writes it. */
export type TurnOwner = { readonly waiting: TurnTaker[]; isWaiting: boolean }

/** How long a slice lasts before other work gets the event loop, in milliseconds. */
const sliceMs = 3
/**
 * How many streams of a user have their turns together: usually all. Their sockets were often opened one after another, and lie
 * together in memory; one stream of each user at a time costs a tenth more for each delivery (10,000 sockets of 100 users).
 */
const together = 4
/** How many turns are taken between two looks at the time. */
const lookEvery = 8

/** The streams of one node that wait for a turn. */
export class RoundRobin {
  /** The owners with waiting turn takers, in the order of their turns; those before `#next` have had theirs. */
  #owners: TurnOwner[] = []
  #next = 0
  #isSet = false

  /** Queues a turn taker for one turn, in the order of calls. Does nothing if it already waits. */
  add(owner: TurnOwner, taker: TurnTaker): void {
    if (taker.isWaiting) return
    taker.isWaiting = true
    owner.waiting.push(taker)
    if (!owner.isWaiting) {
      owner.isWaiting = true
      this.#owners.push(owner)
    }
    this.#set()
  }

  #set(): void {
    if (this.#isSet) return
    this.#isSet = true
    setImmediate(() => {
      this.#isSet = false
      this.#takeSlice()
      if (this.#next < this.#owners.length) this.#set()
    })
  }

  #takeSlice(): void {
    const until = performance.now() + sliceMs
    for (let turns = 1; this.#next < this.#owners.length; turns += 1) {
      this.#takeNext()
      if (turns % lookEvery === 0 && performance.now() >= until) break
    }
    this.#owners = this.#owners.slice(this.#next)
    this.#next = 0
  }

  /** Gives turns to the turn takers of the next owner that have waited longest. */
  #takeNext(): void {
    const owner = this.#owners[this.#next] as TurnOwner
    this.#next += 1
    // One that asks for another turn during its own waits for the next round.
    for (let left = Math.min(together, owner.waiting.length); left > 0; left -= 1) {
      const taker = owner.waiting.shift()
      if (!taker) break
      taker.isWaiting = false
      taker.turn()
    }
    owner.isWaiting = owner.waiting.length > 0
    if (owner.isWaiting) this.#owners.push(owner)
  }
}
