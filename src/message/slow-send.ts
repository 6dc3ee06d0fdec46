// Sends messages in slow mode: the parameters and the result of the SQL procedure journal_send_slow_batch.

import type { Procedure } from '../journal/append.ts'
import { type SendBatchRow, type SendInput, type SendOutcome, sendProcedure } from './send.ts'

/** A message that must come some time after the sender's last one in the conversation. */
export type SlowSendInput = SendInput & { readonly slowMs: number }

/** The outcome of a send, or how long the sender has to wait, in milliseconds. */
export type SlowSendOutcome = SendOutcome | { readonly status: 'TOO_SOON'; readonly retryAfterMs: number }

type SlowSendBatchRow = SendBatchRow & { waits_ms: (number | null)[] }

/** The procedure for sends in slow mode. The key is the sender. */
export const slowSendProcedure: Procedure<SlowSendInput, SlowSendOutcome, SlowSendBatchRow> = {
  name: 'journal_send_slow_batch',
  text: 'call journal_send_slow_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, null, null, null, null, null, null, null)',
  bytesOf: sendProcedure.bytesOf,
  values: (inputs) => [...sendProcedure.values(inputs), inputs.map(({ slowMs }) => slowMs)],
  read(row, inputs) {
    const { outcomes, batch } = sendProcedure.read(row, inputs)
    const told = outcomes.map((outcome, i): SlowSendOutcome => {
      const retryAfterMs = row.waits_ms[i]
      return retryAfterMs == null ? outcome : { status: 'TOO_SOON', retryAfterMs }
    })
    return { outcomes: told, batch }
  },
}
