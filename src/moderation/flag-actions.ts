// Reports of the word rules: the operator's list reports, nobody in person.

import { ParleyError } from '../errors.ts'
import type { ReportFlagged } from '../message/word-rules.ts'
import { reportMessage } from './report-actions.ts'

/** Reports a message with a flagged word, unless it has been deleted in the meantime. */
export const reportFlagged: ReportFlagged = async (messageId, userId, app) => {
  const reason = 'A word rule of this server matched.'
  await reportMessage({ reporterId: null, userId, messageId, visibleFromSeq: 0, reason }, app).catch((error: unknown) => {
    if (!(error instanceof ParleyError && error.code === 'MESSAGE_DELETED')) throw error
  })
}
