// Keeps the order of one sender's messages while something has to be read before a message is appended: later messages of the same
// sender wait until it has been appended.

import type { UserId } from '../id.ts'

declare module '../parts.ts' {
  interface App {
    readonly sendOrder: SendOrder
  }
}

/** The messages on a node that wait for what is read before they are appended. */
export class SendOrder {
  /** By sender: when the last message that waits has been handed to the journal. */
  readonly #last = new Map<UserId, Promise<void>>()

  /**
   * Prepares, and then appends after all earlier messages of this sender. Without `prepare`, and if none waits, it appends at once.
   * @throws whatever `prepare` and `append` throw
   */
  run<Prepared, Outcome>(
    senderId: UserId,
    prepare: (() => Promise<Prepared>) | null,
    append: (prepared: Prepared | null) => Promise<Outcome>,
  ): Promise<Outcome> {
    const before = this.#last.get(senderId)
    return before === undefined && prepare === null ? append(null) : this.#wait(senderId, before, prepare, append)
  }

  async #wait<Prepared, Outcome>(
    senderId: UserId,
    before: Promise<void> | undefined,
    prepare: (() => Promise<Prepared>) | null,
    append: (prepared: Prepared | null) => Promise<Outcome>,
  ): Promise<Outcome> {
    const { promise, resolve } = promiseWithResolve()
    this.#last.set(senderId, promise)
    try {
      const prepared = await prepareAfter(before, prepare)
      // Not awaited here: the next message only has to come after this one in its lane.
      return append(prepared)
    } finally {
      resolve()
      if (this.#last.get(senderId) === promise) this.#last.delete(senderId)
    }
  }
}

/** Prepares while the earlier messages are under way, and waits for them even if that fails: later messages wait for this one only. */
async function prepareAfter<Prepared>(before: Promise<void> | undefined, prepare: (() => Promise<Prepared>) | null) {
  try {
    return (await prepare?.()) ?? null
  } finally {
    await before
  }
}

function promiseWithResolve() {
  let resolve = () => {}
  const promise = new Promise<void>((ready) => {
    resolve = ready
  })
  return { promise, resolve }
}
