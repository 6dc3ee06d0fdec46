// A subscription with a document of the test's own, and ways to wait for its events.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import type { Device } from '../support/device.ts'

type Named = { readonly __typename: string }
type Data<Event extends Named> = { readonly events: Event }
const patienceMs = 10_000

/** The events of a subscription so far. */
export class Followed<Event extends Named> {
  readonly seen: Event[] = []
  readonly #waiting = new Set<() => void>()

  take(event: Event): void {
    this.seen.push(event)
    for (const wake of [...this.#waiting]) wake()
  }

  /** The names of all events, in order. */
  names(): string[] {
    return this.seen.map(({ __typename }) => __typename)
  }

  /** All events of one type, in order. */
  all<Name extends Event['__typename']>(name: Name): (Event & { __typename: Name })[] {
    return this.seen.filter((event): event is Event & { __typename: Name } => event.__typename === name)
  }

  /** Waits until a condition holds for the events. Fails with the events after 10 s. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs
    while (!holds()) {
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`timed out waiting for ${what}; came: ${this.names().join(', ')}`)
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          this.#waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, left)
        this.#waiting.add(done)
      })
    }
  }

  /** Waits for the first event of a type. */
  async first<Name extends Event['__typename']>(name: Name): Promise<Event & { __typename: Name }> {
    await this.until(name, () => this.all(name).length > 0)
    const [found] = this.all(name)
    if (!found) throw new Error(`no ${name}`)
    return found
  }
}

/** Subscribes over a socket of its own; returns once the stream is live. */
export async function follow<Event extends Named, Variables extends Record<string, unknown>>(
  device: Device,
  document: TypedDocumentNode<Data<Event>, Variables>,
  variables: Variables,
): Promise<Followed<Event>> {
  const followed = new Followed<Event>()
  device.socket().subscribe<Data<Event>>(
    { query: print(document), variables },
    {
      next: ({ data }) => data && followed.take(data.events),
      error: () => undefined,
      complete: () => undefined,
    },
  )
  await followed.until('CaughtUp', () => followed.names().includes('CaughtUp'))
  return followed
}
