// Lets the executions of different users take turns. An execution runs at once if its user has used little time lately and this
// turn of the event loop has run few; otherwise it waits. Waiting users are served in slices, in turn. Users who have used more
// than their share are served when no other user waits, with rests in between. So a user with many executions delays their own
// events, but neither the events nor the requests of others (D7).
//
// It shares processor time, by charging users for the time of their executions. A fair queue (fair-queue.ts) bounds requests that
// wait for Postgres or a password hash, and the steps of streams go round robin (journal/round-robin.ts).

import { LRUCache } from 'lru-cache'
import { entriesMax } from '../bounded.ts'
import type { UserId } from '../id.ts'
import type { MaybePromise } from './loader.ts'

/** How long executions may take in one turn of the event loop, before sockets, Postgres and Redis get the next one. */
const sliceMs = 4
/** How much a user may owe and still be served at once. */
const allowanceMs = 2
/** The fraction of passing time that pays off a user's debt. */
const payingShare = 0.1
/** How long users who owe are served in one turn of the event loop. */
const owingSliceMs = 1
/** How long the node rests after it served users who owe, as a multiple of the time that it took. */
const restFactor = 2
/** How many executions of one user may wait for Postgres at once. */
const underWayMax = 4
/** The charge for the part of an execution after Postgres has answered, per unit of cost. */
const msPerCost = 0.005
const usersMax = 50_000

/** The user and charge of an execution. */
export type Turn = {
  /** 0 for nobody. */
  readonly userId: UserId | 0
  /** The cost of the document, as counted at admission. */
  readonly cost: number
  /** The fraction of the execution's time that its user owes: 1 if it is only for this user. */
  readonly share: number
  /** Whether the answer is no longer needed. */
  isOver(): boolean
}

type ScheduledExecution = { readonly turn: Turn; readonly start: () => void; readonly skip: () => void }

/** The debt and the waiting executions of one user. */
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
  readonly #accounts = new LRUCache<UserId | 0, Account>(entriesMax(usersMax))
  /** Users with waiting executions, in the order of their turns; users who owe are apart. */
  readonly #ready = new Set<Account>()
  readonly #owing = new Set<Account>()
  /** When users who owe may be served again. */
  #restsUntil = 0
  #spentMs = 0
  #isSpent = false
  #isSet = false
  #timer: NodeJS.Timeout | null = null

  /**
   * Runs an execution: at once if its user may, otherwise when it is their turn.
   * @returns the result of `work`; null if the execution was over before its turn came
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

  #accountOf(userId: UserId | 0): Account {
    const known = this.#accounts.get(userId)
    if (known) return known
    const account = new Account()
    this.#accounts.set(userId, account)
    return account
  }

  /** Runs an execution and charges its user. */
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

  /** Counts time spent in this turn of the event loop. */
  #spend(tookMs: number): void {
    this.#spentMs += tookMs
    if (this.#isSpent) return
    this.#isSpent = true
    setImmediate(() => {
      this.#isSpent = false
      this.#spentMs = 0
    })
  }

  /** Schedules the next slice if a user waits. */
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

  /** One slice: serves users in turn while there is time, then users who owe if the rest is over. */
  #serve(): void {
    const begunAt = performance.now()
    let now = begunAt
    for (const account of this.#ready) {
      this.#ready.delete(account)
      if (account.underWay >= underWayMax) continue // returns when one of its executions is done
      if (account.owes(now)) this.#owing.add(account)
      else this.#serveOne(account)
      now = performance.now()
      if (now - begunAt >= sliceMs) break
    }
    if (now >= this.#restsUntil) this.#serveOwing(now)
    this.#set()
  }

  /** A short slice for users who owe, followed by a rest. */
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

  /** Runs the next execution of a user. Skips those that are over. */
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

  /** The user who owes least. Drops users with too many executions under way. */
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
