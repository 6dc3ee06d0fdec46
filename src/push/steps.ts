// The steps by which a fact becomes a notification, as channels of node:diagnostics_channel, like those of src/journal/steps.ts: for
// tracing, and for tests that end a node at one of them. What they carry are numbers.

import { channel } from 'node:diagnostics_channel'

/** Each step, in its order. */
export const pushSteps = {
  /** The jobs of some facts were added: `{ jobs }`, in a transaction that is not committed. */
  reading: channel('parley:push.reading'),
  /** They are committed, with the place that the reader has come to: `{ jobs }`. */
  read: channel('parley:push.read'),
  /** Decisions about a message, and the jobs that deliver, are committed: `{ messageId }`. The job that made them is not done. */
  decided: channel('parley:push.decided'),
  /** A request is about to be sent: `{ deliveryId }`. */
  sending: channel('parley:push.sending'),
  /** The service has answered: `{ deliveryId }`. It is not written down. */
  sent: channel('parley:push.sent'),
  /** It is written down: `{ deliveries }`, their number. The job is not done. */
  recorded: channel('parley:push.recorded'),
} as const
