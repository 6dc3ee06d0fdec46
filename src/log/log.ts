// Structured logs on standard error, one JSON object per line. Errors are logged with only a few fields, so that secrets never
// reach the log: an error of a database connection carries the whole connection, including its key.

import { type Logger, pino } from 'pino'

export type Log = Logger

/** Reports progress to the operator: a sentence without its full stop, and the fields of a log line. */
export type ReportProgress = (fields: object, sentence: string) => void

/** Opens the log. `name` distinguishes nodes in one process. Log errors under the key `err`. */
export function openLog(level: string, name: string): Log {
  return pino(
    { level, name, serializers: { err: (error: unknown) => describe(error) } },
    pino.destination({ dest: 2, sync: true }),
  )
}

/** The fields of an error and its causes in the log. */
function describe(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error) || depth > 4) return String(error)
  const { name, message, stack, cause } = error
  const { code } = error as { code?: unknown }
  return {
    type: name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined ? {} : { cause: describe(cause, depth + 1) }),
  }
}
