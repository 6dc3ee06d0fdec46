// Observers: called one after another, in the order in which they were added. One that fails keeps nobody else from being called.

import type { Log } from '../log.ts'

/** Called with each value, at once. */
export type Observer<Value> = (value: Value) => void

/** The observers of one thing that happens on this node. */
export class Observers<Value> {
  readonly #observers: Observer<Value>[] = []
  readonly #log: Log
  readonly #what: string

  /** `what` names the thing in the log: "facts". */
  constructor(log: Log, what: string) {
    this.#log = log
    this.#what = what
  }

  add(observer: Observer<Value>): void {
    this.#observers.push(observer)
  }

  call(value: Value): void {
    for (const observer of this.#observers) {
      try {
        observer(value)
      } catch (error) {
        this.#log.error({ err: error }, `an observer of ${this.#what} failed`)
      }
    }
  }
}
