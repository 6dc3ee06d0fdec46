// Topics between nodes. A bus may lose, delay or repeat messages; whoever needs every one of them counts for himself (the
// journal does, by position). One contract suite runs on both kinds: test/contract/bus.test.ts.

/** Ends a subscription. Resolves when no further message will be handed over. */
export type Unsubscribe = () => Promise<void>

/**
 * Carries JSON values from one node to all nodes that listen, itself included.
 *
 * Guarantees: the messages that one node publishes on one topic and that do arrive, arrive in the order of publishing;
 * a listener that throws disturbs no other. No guarantee that a message arrives. Messages are shared: change none.
 */
export type Bus = {
  /**
   * Sends and forgets: returns at once, never throws and never waits, also with the carrier gone. What cannot be sent is
   * dropped and counted.
   */
  publish(topic: string, message: unknown): void
  /**
   * Hears a topic. Resolves when messages published from now on will be heard; where the carrier does not answer, after 2 s,
   * and the subscription then takes effect when the carrier is back.
   */
  subscribe(topic: string, listener: (message: unknown) => void): Promise<Unsubscribe>
  /** Calls `listener` whenever messages may have been missed: the carrier was lost, or has come back. */
  onInterruption(listener: () => void): void
  /** How many messages were dropped because they could not be sent. */
  dropped(): number
  close(): Promise<void>
}
