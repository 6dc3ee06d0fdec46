// The clock: it decides whatever the product promises in time. Access tokens and provider sessions expire, mutes end, device
// leases and typing lapse, nodes that report nothing are forgotten, quiet hours begin, push services are paused. A test turns
// it (test/support/clock.ts) and waits for none of that.
//
// Limits on I/O, back-offs, measurements and fair scheduling use the machine's timers: turning a clock must not break a
// connection. What an SQL statement decides (whether an invite or a refresh token is still good) follows Postgres' clock, so
// that nodes whose clocks differ agree; a test changes the time in the row. test/architecture.test.ts lists who may read the
// machine's time.

/** Ends a timer. Ending it twice, or after it ran, does nothing. */
export type Cancel = () => void

/** Tells the time, and runs things in time. Its functions need no `this`. */
export type Clock = {
  /** The time of day, in milliseconds since 1970. */
  now(): number
  /** A time that only goes forward, in milliseconds since some moment: for spans, which a corrected time of day must not change. */
  monotonicMs(): number
  /** How far `now` is ahead of this machine's time of day: 0, unless a test turned it. */
  aheadMs(): number
  /** Runs something once, after so many milliseconds. */
  after(ms: number, run: () => void): Cancel
  /** Runs something again and again, every so many milliseconds. */
  every(ms: number, run: () => void): Cancel
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: Date.now,
  monotonicMs: () => performance.now(),
  aheadMs: () => 0,
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  every(ms, run) {
    const timer = setInterval(run, ms)
    return () => clearInterval(timer)
  },
}
