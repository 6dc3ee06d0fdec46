// Topics between nodes, and beside them a shelf and a board on the same carrier. A bus may lose, delay or repeat messages; a reader that needs all of them must count them itself, as
// the journal does by position. One contract suite runs on all implementations: test/bus/bus.test.ts.

import type { Board } from './board.ts'
import type { Shelf } from './shelf.ts'
import type { Slots } from './slots.ts'

/** Ends a subscription. Resolves when its listener will get no more messages. */
export type Unsubscribe = () => Promise<void>

/** The form of the messages on a topic. */
export type Form<Message> = {
  /** Parses a message; null for anything that does not have this form. */
  parse(value: unknown): Message | null
  /** false if Redis itself publishes on the topic (a script that changes leases): then there is no signature to check. */
  readonly isSigned: boolean
}

/**
 * Carries JSON values from one node to all nodes that subscribe, itself included.
 *
 * Guarantees: messages of one node on one topic arrive in the order of publishing, if they arrive; a listener that throws
 * disturbs no other. There is no guarantee that a message arrives. Listeners share messages and must not change them.
 */
export type Bus = {
  readonly shelf: Shelf
  readonly board: Board
  /** How this carrier spreads names. */
  readonly slots: Slots
  /**
   * Publishes a message. Never throws and never waits, even without the carrier: a message that cannot be sent is dropped and
   * counted.
   */
  publish(topic: string, message: unknown): void
  /**
   * Subscribes to a topic. Resolves when messages published from now on will arrive, or after 2 s if the carrier does not answer:
   * then the subscription takes effect when the carrier is back. A message that does not have the topic's form is dropped,
   * counted and logged: two parts of Parley disagree.
   */
  subscribe<Message>(topic: string, form: Form<Message>, listener: (message: Message) => void): Promise<Unsubscribe>
  /** Calls `listener` whenever messages may have been missed: when the carrier is lost, and when it is back. */
  onInterruption(listener: () => void): void
  /** How many messages could not be sent. */
  dropped(): number
  /** How many messages arrived without the form of their topic. */
  malformed(): number
  /** How many messages arrived without a signature by a secret of this installation. */
  refused(): number
  close(): Promise<void>
}
