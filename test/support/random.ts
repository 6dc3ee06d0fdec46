// Repeatable randomness: PARLEY_STRESS_SEED sets the seed, and a failure names the one that was used.

import { randomInt } from 'node:crypto'
import { TestRandom } from '../../client/src/testing/test-random.ts'

/** Draws random values. The same seed gives the same values. */
export class Random extends TestRandom {
  /** A whole number: at least `least`, at most `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1))
  }

  /** One of these. */
  one<T>(things: readonly [T, ...T[]]): T {
    return things[this.whole(0, things.length - 1)] ?? things[0]
  }

  /** All of these, in random order. */
  shuffle<T>(things: readonly T[]): T[] {
    const left = [...things]
    return things.flatMap(() => left.splice(this.whole(0, left.length - 1), 1))
  }

  /** A UUID. */
  uuid(): string {
    const digits = Array.from({ length: 32 }, () => this.whole(0, 15).toString(16)).join('')
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }

  /** A second source for concurrent draws, so that neither changes the values of the other. */
  fork(): Random {
    return new Random(this.whole(0, 2 ** 32 - 1))
  }
}

/** Runs a test on a random source; if it fails, the error begins with the seed. */
export async function withSeed(run: (random: Random) => Promise<void>): Promise<void> {
  // biome-ignore lint/style/noProcessEnv: the seed of a failure to repeat is given here
  const seed = Number(process.env.PARLEY_STRESS_SEED ?? randomInt(2 ** 31))
  try {
    await run(new Random(seed))
  } catch (error) {
    if (error instanceof Error) error.message = `PARLEY_STRESS_SEED=${seed}: ${error.message}`
    throw error
  }
}
