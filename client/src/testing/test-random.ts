// Repeatable randomness: the same seed draws the same values.

/** A source of random values (mulberry32). */
export class TestRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0, less than 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** A number between two bounds. */
  between(least: number, most: number): number {
    return least + this.fraction() * (most - least)
  }

  /** Some bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.fraction() * 256))
  }

  /** A text of lower-case letters and digits. */
  text(length: number): string {
    return Array.from({ length }, () => Math.floor(this.fraction() * 36).toString(36)).join('')
  }
}
