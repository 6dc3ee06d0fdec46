// A clock that stands still until a test turns it. Nodes that share it see the same time. It is ahead of Postgres' clock, so that
// what Postgres wrote down is in the past.

import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import type { Cancel, Clock } from '../../src/clock.ts'
import { closeAtEnd } from './node.ts'
import { until } from './until.ts'

/** The longest step. Between two steps sockets, Redis and Postgres answer: a ping gets its pong. */
const stepMs = 250
/** How long it waits, by the machine's clock, for something to hold before it turns on. */
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

  /** Lets time pass: runs each timer at its time, in order, and lets what it begins be answered. */
  turn(ms: number): Promise<void> {
    this.#turning = this.#turning.then(async () => {
      for (const end = this.#nowMs + ms; this.#nowMs < end; ) await this.#step(end)
    })
    return this.#turning
  }

  /**
   * Turns the clock until something holds, at most by so much, 10 s where nothing is given. Then it stands still, and what the
   * machine has yet to do has another 10 s.
   */
  async until(what: string, holds: () => boolean | Promise<boolean>, limitMs = patienceMs): Promise<void> {
    for (const end = this.#nowMs + limitMs; this.#nowMs < end; await this.turn(Math.min(stepMs, end - this.#nowMs))) {
      for (const turnAt = performance.now() + pauseMs; performance.now() < turnAt; await this.#settle()) if (await holds()) return
    }
    await until(what, holds)
  }

  /** Moves to the next timer, at most one step and not beyond `end`. */
  async #step(end: number): Promise<void> {
    this.#nowMs = Math.min(end, this.#nowMs + stepMs, ...[...this.#timers].map(({ at }) => at))
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.#nowMs).sort((a, b) => a.at - b.at)) {
      if (!this.#timers.has(timer)) continue // one that ran before has cancelled it
      if (timer.everyMs === null) this.#timers.delete(timer)
      else timer.at += timer.everyMs
      timer.run()
    }
    await this.#settle()
  }

  /** Lets what is under way be answered: what one ping of Redis comes after, the node has heard before the next. */
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

/** Waits until something holds: turns the clock for it, or waits if it is the machine's. */
export function untilBy(clock: Clock, what: string, holds: () => boolean | Promise<boolean>, limitMs?: number): Promise<void> {
  return clock instanceof TestClock ? clock.until(what, holds, limitMs) : until(what, holds, limitMs)
}
