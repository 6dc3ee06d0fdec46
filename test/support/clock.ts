// A clock that stands still until a test turns it. Nodes that share it see the same time. It is ahead of Postgres' clock, so that
// every time that Postgres writes is in the past.

import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import type { Cancel, Clock } from '../../src/clock.ts'
import { closeAtEnd } from './node.ts'
import { until } from './until.ts'

/** The longest step. Between two steps sockets, Redis and Postgres can answer: a ping gets its pong. */
const stepMs = 250
/** How long `until` waits for its condition, by the machine's clock, before it turns this clock further. */
const pauseMs = 15
const patienceMs = 10_000
const aheadMs = 3_600_000
const settleRounds = 3

type Timer = { at: number; readonly everyMs: number | null; readonly run: () => void }

/** A clock that a test turns. */
export class TestClock implements Clock {
  readonly #timers = new Set<Timer>()
  readonly #begunAt = Date.now() + aheadMs
  readonly #redis: Redis
  #nowMs = this.#begunAt
  #turning: Promise<void> = Promise.resolve()

  constructor() {
    this.#redis = new Redis(inject('redisUrl'))
    closeAtEnd(async () => this.#redis.disconnect())
  }

  readonly now = () => this.#nowMs
  readonly monotonicMs = () => this.#nowMs - this.#begunAt
  readonly aheadMs = () => Math.round(this.#nowMs - Date.now())
  readonly after = (ms: number, run: () => void): Cancel => this.#add({ at: this.#nowMs + ms, everyMs: null, run })
  readonly every = (everyMs: number, run: () => void): Cancel => this.#add({ at: this.#nowMs + everyMs, everyMs, run })

  /** Lets time pass: runs each timer at its time, in order, and leaves time for answers to what the timers begin. */
  turn(ms: number): Promise<void> {
    this.#turning = this.#turning.then(async () => {
      for (const end = this.#nowMs + ms; this.#nowMs < end; ) await this.#step(end)
    })
    return this.#turning
  }

  /** Sets the clock ahead, as a machine that slept does: every timer that is due runs once. */
  leap(ms: number): Promise<void> {
    this.#turning = this.#turning.then(async () => {
      const end = this.#nowMs + ms
      for (const timer of this.#timers) if (timer.everyMs !== null) timer.at = Math.max(timer.at, end)
      this.#nowMs = end
      await this.#step(end)
    })
    return this.#turning
  }

  /**
   * Turns the clock until a condition holds, by at most `limitMs` (10 s by default). Then the clock stands still, and the
   * condition has another 30 s by the machine's clock.
   */
  async until(what: string, holds: () => boolean | Promise<boolean>, limitMs = patienceMs): Promise<void> {
    for (const end = this.#nowMs + limitMs; this.#nowMs < end; await this.turn(Math.min(stepMs, end - this.#nowMs))) {
      for (const turnAt = performance.now() + pauseMs; performance.now() < turnAt; await this.#settle()) if (await holds()) return
    }
    await until(what, holds)
  }

  /** Moves to the next timer, but at most one step, and not beyond `end`. */
  async #step(end: number): Promise<void> {
    this.#nowMs = Math.min(end, this.#nowMs + stepMs, ...[...this.#timers].map(({ at }) => at))
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.#nowMs).sort((a, b) => a.at - b.at)) {
      if (!this.#timers.has(timer)) continue // an earlier one has cancelled it
      if (timer.everyMs === null) this.#timers.delete(timer)
      else timer.at += timer.everyMs
      timer.run()
    }
    await this.#settle()
  }

  /** Leaves time for answers: a node receives what Redis published before one ping by the time of the next. */
  async #settle(): Promise<void> {
    for (let round = 0; round < settleRounds; round += 1) {
      await this.#redis.ping()
      await delay(1)
    }
  }

  #add(timer: Timer): Cancel {
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }
}

/** Waits until a condition holds: turns a TestClock, or waits on the machine's clock. */
export function untilBy(clock: Clock, what: string, holds: () => boolean | Promise<boolean>, limitMs?: number): Promise<void> {
  return clock instanceof TestClock ? clock.until(what, holds, limitMs) : until(what, holds, limitMs)
}
