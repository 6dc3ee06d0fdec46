// Observers are called one after another, in the order in which they were added. If one fails, the others are still called.

import type { Log } from '../log/log.ts'

/** Called synchronously with each value. */
export type Observer<Value> = (value: Value) => void

/** The observers of one kind of occurrence on this node. */
export class Observers<Value> {
  readonly #observers: Observer<Value>[] = []
  readonly #log: Log
  readonly #what: string

  /** @param what the name for the log: "facts" */
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
