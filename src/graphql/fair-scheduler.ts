// Executions that are made for one user take turns. An execution runs at once while its user has used little time lately and this
// turn of the event loop has carried few; else it waits. Those who wait are served in slices, user by user, and users who have
// used more than their share are served when nobody else waits, with rests in between. So one user's many executions delay that
// user's own events, and neither the events nor the requests of others (D7).
//
// It shares out processor time, by charging what each execution takes. What waits for Postgres or for a password hash is bounded
// by a fair queue (fair-queue.ts), and the steps of streams go round robin (journal/round-robin.ts).

import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { MaybePromise } from './loader.ts'

/** How long executions may take in one turn of the event loop, before sockets, Postgres and Redis are heard again. */
const sliceMs = 4
/** What a user may owe and still be served at once. */
const allowanceMs = 2
/** Which part of the time that passes pays off what a user owes. */
const payingShare = 0.1
/** How long those who owe are served in one turn of the event loop. */
const owingSliceMs = 1
/** How long the node rests after it served those who owe, in multiples of the time that it took. */
const restFactor = 2
/** How many executions of one user wait for Postgres at once. */
const underWayMax = 4
/** What is owed for the part of an execution that comes after Postgres has answered, for each unit of its cost. */
const msPerCost = 0.005
const usersMax = 50_000

/** What an execution is made for. */
export type Turn = {
  readonly userId: number
  /** The cost of the document, as it was counted when it was admitted. */
  readonly cost: number
  /** Which part of the execution its user owes: 1 for what is made for this user alone. */
  readonly share: number
  /** Whether nobody waits for the answer any longer. */
  isOver(): boolean
}

type ScheduledExecution = { readonly turn: Turn; readonly start: () => void; readonly skip: () => void }

/** What one user has used, and what waits. */
class Account {
  owedMs = 0
  paidAt = 0
  underWay = 0
  readonly waiting = new Set<ScheduledExecution>()

  /** Whether this user has used more than their share. */
  owes(now: number): boolean {
    this.owedMs = Math.max(0, this.owedMs - (now - this.paidAt) * payingShare)
    this.paidAt = now
    return this.owedMs > allowanceMs
  }
}

/** The turns of the users of one node. */
export class FairScheduler {
  readonly #accounts = new LRUCache<number, Account>(entriesMax(usersMax))
  /** Users with something that waits, in the order of their turns; those who owe apart. */
  readonly #ready = new Set<Account>()
  readonly #owing = new Set<Account>()
  /** When the next user who owes may be served. */
  #restsUntil = 0
  #spentMs = 0
  #isSpent = false
  #isSet = false
  #timer: NodeJS.Timeout | null = null

  /**
   * Runs an execution at once where its user may, else when it is their turn.
   * @returns what `work` gives; null where the turn came when it was over
   */
  run<T>(turn: Turn, work: () => MaybePromise<T>): MaybePromise<T | null> {
    const account = this.#accountOf(turn.userId)
    const now = performance.now()
    const mayGo = account.waiting.size === 0 && account.underWay < underWayMax && this.#spentMs < sliceMs && !account.owes(now)
    if (mayGo) return this.#do(account, turn, work, now)
    return new Promise((resolve, reject) => {
      const start = () => {
        try {
          resolve(this.#do(account, turn, work, performance.now()))
        } catch (error) {
          reject(error)
        }
      }
      account.waiting.add({ turn, start, skip: () => resolve(null) })
      this.#ready.add(account)
      this.#set()
    })
  }

  #accountOf(userId: number): Account {
    const known = this.#accounts.get(userId)
    if (known) return known
    const account = new Account()
    this.#accounts.set(userId, account)
    return account
  }

  /** Runs an execution and notes what it takes. */
  #do<T>(account: Account, { share, cost }: Turn, work: () => MaybePromise<T>, begunAt: number): MaybePromise<T> {
    let result: MaybePromise<T>
    try {
      result = work()
    } finally {
      const tookMs = performance.now() - begunAt
      account.owedMs += tookMs * share
      this.#spend(tookMs)
    }
    if (!(result instanceof Promise)) return result
    account.owedMs += cost * msPerCost * share
    account.underWay += 1
    return result.finally(() => {
      account.underWay -= 1
      if (account.waiting.size === 0) return
      this.#ready.add(account)
      this.#set()
    })
  }

  /** Counts the time of this turn of the event loop. */
  #spend(tookMs: number): void {
    this.#spentMs += tookMs
    if (this.#isSpent) return
    this.#isSpent = true
    setImmediate(() => {
      this.#isSpent = false
      this.#spentMs = 0
    })
  }

  /** Sees to it that a slice follows for whoever may be served. */
  #set(): void {
    const restMs = this.#restsUntil - performance.now()
    if (this.#ready.size > 0 || (this.#owing.size > 0 && restMs <= 0)) {
      if (this.#isSet) return
      this.#isSet = true
      setImmediate(() => {
        this.#isSet = false
        this.#serve()
      })
    } else if (this.#owing.size > 0 && this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null
        this.#serve()
      }, restMs)
    }
  }

  /** One slice: users in turns while there is time, and one who owes where the rest is over. */
  #serve(): void {
    const begunAt = performance.now()
    let now = begunAt
    for (const account of this.#ready) {
      this.#ready.delete(account)
      if (account.underWay >= underWayMax) continue // comes back when one of them is done
      if (account.owes(now)) this.#owing.add(account)
      else this.#serveOne(account)
      now = performance.now()
      if (now - begunAt >= sliceMs) break
    }
    if (now >= this.#restsUntil) this.#serveOwing(now)
    this.#set()
  }

  /** A short slice for those who owe, and the rest after it. */
  #serveOwing(begunAt: number): void {
    let now = begunAt
    while (this.#owing.size > 0 && this.#ready.size === 0 && now - begunAt < owingSliceMs) {
      const account = this.#leastOwing(now)
      if (!account) break
      this.#serveOne(account)
      if (this.#ready.delete(account)) this.#owing.add(account)
      else this.#owing.delete(account)
      now = performance.now()
    }
    this.#restsUntil = now + (now - begunAt) * restFactor
  }

  /** Runs the next execution of a user, past those that are over. */
  #serveOne(account: Account): void {
    for (const job of account.waiting) {
      account.waiting.delete(job)
      if (job.turn.isOver()) {
        job.skip()
        continue
      }
      job.start()
      break
    }
    if (account.waiting.size > 0) this.#ready.add(account)
  }

  /** Of those who owe, the one who owes least. */
  #leastOwing(now: number): Account | null {
    let least: Account | null = null
    for (const account of this.#owing) {
      account.owes(now)
      if (account.underWay >= underWayMax) this.#owing.delete(account)
      else if (!least || account.owedMs < least.owedMs) least = account
    }
    return least
  }
}
