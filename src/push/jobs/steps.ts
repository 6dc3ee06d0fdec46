// The steps from a fact to a notification, as channels of node:diagnostics_channel like those in src/journal/steps.ts: for
// tracing, and for tests that end a node at one of them.

import { channel } from 'node:diagnostics_channel'

/** The steps, in order. */
export const pushSteps = {
  /** The jobs for some facts were added, in a transaction that is not yet committed: `{ jobs }`. */
  reading: channel('parley:push.reading'),
  /** They are committed, with the reader's new place: `{ jobs }`. */
  read: channel('parley:push.read'),
  /** The decisions about a message and their jobs are committed: `{ messageId }`. The job that decided is not yet done. */
  decided: channel('parley:push.decided'),
  /** A request is about to be sent: `{ deliveryId }`. */
  sending: channel('parley:push.sending'),
  /** The service has answered: `{ deliveryId, service, result }`. The outcome is not yet recorded. */
  sent: channel('parley:push.sent'),
  /** The outcomes are recorded: `{ deliveries }`, their number. The job is not yet done. */
  recorded: channel('parley:push.recorded'),
} as const
