// Limits how often passwords are tried and accounts are made (D7), on all nodes together.

import { type CountLimit, limited } from '../bus/counters.ts'
import { ParleyError } from '../errors.ts'
import type { App } from '../parts.ts'

const logInPeriodS = 900
const signUpPeriodS = 3_600

const accountAndAddress = ({ config }: App): CountLimit => ({
  name: 'failed-log-ins',
  most: config.attempts.failedLogInsMax,
  periodS: logInPeriodS,
})
const accountAlone = ({ config }: App): CountLimit => ({
  name: 'failed-log-ins-of-account',
  most: config.attempts.failedLogInsPerAccountMax,
  periodS: logInPeriodS,
})
const signUps = ({ config }: App): CountLimit => ({
  name: 'sign-ups',
  most: config.attempts.signUpsPerAddressMax,
  periodS: signUpPeriodS,
})

/**
 * Runs a sign-up, and counts it if it makes an account. The server's own sign-ups have no address and do not count.
 * @throws ParleyError RATE_LIMITED if too many came from this address; any error of `act`
 */
export function signingUp<T>(address: string, app: App, act: () => Promise<T>): Promise<T> {
  if (address === '') return act()
  const refusal = 'Too many accounts were created from your address. Try again later.'
  return limited(app.counters, { limit: signUps(app), key: address, refusal }, act)
}

/** A log-in that counts as failed until one of these is called. */
export type LogInAttempt = {
  /** The password was right: the failures from this address are forgotten. */
  succeed(): Promise<void>
  /** The password was not checked: the attempt does not count. */
  takeBack(): Promise<void>
}

/**
 * Counts a log-in as failed, before the password is checked: then many at once count, too.
 * @throws ParleyError RATE_LIMITED if too many log-ins to this account failed, from this address or from anywhere
 */
export async function beginLogIn(username: string, address: string, app: App): Promise<LogInAttempt> {
  const account = username.toLowerCase()
  const pair = `${account} ${address}`
  const here = await app.counters.count(accountAndAddress(app), pair)
  // What is refused for its address does not use up the account.
  const retryAfterMs = here > 0 ? here : await app.counters.count(accountAlone(app), account)
  if (retryAfterMs > 0)
    throw new ParleyError('RATE_LIMITED', 'Too many log-ins to this account have failed. Try again later.', { retryAfterMs })
  const uncountAccount = () => app.counters.uncount(accountAlone(app), account)
  return {
    async succeed() {
      await Promise.all([app.counters.forget(accountAndAddress(app), pair), uncountAccount()])
    },
    async takeBack() {
      await Promise.all([app.counters.uncount(accountAndAddress(app), pair), uncountAccount()])
    },
  }
}
