// The clock, for everything that the product promises in time: access tokens and provider sessions expire, mutes end, device
// leases, typing and silent nodes lapse, quiet hours begin, push services are paused. Tests turn it (test/support/clock.ts)
// instead of waiting.
//
// Limits on I/O, back-offs, measurements and fair scheduling use the machine's timers: turning a clock must not break a
// connection. Decisions in SQL (whether an invite or a refresh token is still valid) follow Postgres' clock, so that nodes with
// different clocks agree; tests change the time in the row. test/architecture.test.ts lists the files that may read the
// machine's time.

/** Ends a timer. Ending it twice, or after it ran, does nothing. */
export type Cancel = () => void

/** Reads the time and sets timers. Its functions need no `this`. */
export type Clock = {
  /** The time of day, in milliseconds since 1970. */
  now(): number
  /** A monotonic time in milliseconds, for durations: correcting the time of day does not change it. */
  monotonicMs(): number
  /** How far `now` is ahead of this machine's time of day: 0, unless a test turned it. */
  aheadMs(): number
  /** Runs a function once, after a delay. */
  after(ms: number, run: () => void): Cancel
  /** Runs a function repeatedly, at an interval. */
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
