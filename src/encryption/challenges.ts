// Challenges for devices. A device proves to a new session that it holds its key by signing one. They are not stored: they follow from
// the session and the time, so that every node knows them.

import { createHmac, type KeyObject } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { SessionId } from '../id.ts'
import type { Keys } from '../keys.ts'

declare module '../parts.ts' {
  interface App {
    readonly challenges: Challenges
  }
}

/** For how long the same challenge is given out, in milliseconds. It is accepted in its slot and in the next one. */
export const challengeSlotMs = 300_000

/** The challenges of a node. */
export class Challenges {
  readonly #keys: Keys
  readonly #clock: Clock

  constructor(keys: Keys, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  /** The challenge of a session now, in base64. */
  current(sessionId: SessionId): string {
    return challengeOf(this.#keys[0].devices, sessionId, this.#slot())
  }

  /** The challenges that a session may have signed. */
  accepted(sessionId: SessionId): readonly string[] {
    const slot = this.#slot()
    return this.#keys.flatMap(({ devices }) => [slot, slot - 1].map((each) => challengeOf(devices, sessionId, each)))
  }

  #slot(): number {
    return Math.floor(this.#clock.now() / challengeSlotMs)
  }
}

function challengeOf(key: KeyObject, sessionId: SessionId, slot: number): string {
  return createHmac('sha256', key).update(`${sessionId} ${slot}`).digest('base64')
}
