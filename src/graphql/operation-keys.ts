// Numbers the operation keys of a node and counts how many of them each user has open (C1). An event is executed once for each
// key, so a key that only one user has costs the node an extra execution of each event: the number of keys per user is bounded.

import { createHash } from 'node:crypto'
import { ParleyError } from '../errors.ts'
import type { UserId } from '../id.ts'
import type { OperationKey } from './operation-key.ts'

/** How many different keys a user may have open. A user has about ten devices, with few versions of few apps. */
export const keysPerUserMax = 32
const registeredMax = 10_000

/** An operation key with its number on this node. It is even; the next one is for viewers who see the whole history. */
export type RegisteredKey = Pick<OperationKey, 'shared' | 'cost'> & { readonly number: number }

/** The operation keys of a node. */
export class OperationKeys {
  /** By the SHA-256 of their text. */
  #registered = new Map<string, RegisteredKey>()
  #nextNumber = 0
  /** By user: the number of open subscriptions with each key. */
  readonly #byUser = new Map<UserId, Map<RegisteredKey, number>>()
  /** By key: the number of users who have it open. */
  readonly #users = new Map<RegisteredKey, number>()

  /** Registers a key. Operations with the same text get the same registered key. */
  register({ text, shared, cost }: OperationKey): RegisteredKey {
    const hash = createHash('sha256').update(text).digest('base64')
    const known = this.#registered.get(hash)
    if (known) return known
    if (this.#registered.size >= registeredMax) this.#registered = new Map() // numbers are never reused: open keys stay valid
    this.#nextNumber += 2
    const key = { number: this.#nextNumber, shared, cost }
    this.#registered.set(hash, key)
    return key
  }

  /** How many users have a key open, at least 1. */
  usersOf(key: RegisteredKey): number {
    return this.#users.get(key) ?? 1
  }

  /**
   * Counts an open subscription of a user. The same key counts once over all devices.
   * @returns a function that ends the count; idempotent
   * @throws ParleyError LIMIT_EXCEEDED if the user has `keysPerUserMax` other keys open
   */
  hold(userId: UserId, key: RegisteredKey): () => void {
    const counts = this.#byUser.get(userId) ?? new Map<RegisteredKey, number>()
    if (!counts.has(key) && counts.size >= keysPerUserMax) {
      throw new ParleyError(
        'LIMIT_EXCEEDED',
        `You already follow events with ${keysPerUserMax} different documents on this node. Use one document for all subscriptions, or end some of them.`,
      )
    }
    this.#byUser.set(userId, counts)
    if (!counts.has(key)) this.#users.set(key, (this.#users.get(key) ?? 0) + 1)
    counts.set(key, (counts.get(key) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = (counts.get(key) ?? 1) - 1
      if (left > 0) counts.set(key, left)
      else {
        counts.delete(key)
        this.#removeUser(key)
      }
      if (counts.size === 0 && this.#byUser.get(userId) === counts) this.#byUser.delete(userId)
    }
  }

  #removeUser(key: RegisteredKey): void {
    const left = (this.#users.get(key) ?? 1) - 1
    if (left > 0) this.#users.set(key, left)
    else this.#users.delete(key)
  }
}
