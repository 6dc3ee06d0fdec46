// Structured logs on standard error, one JSON object a line. Secrets never reach a log line: errors are written with the few
// fields that tell what happened (an error of a database connection carries the whole connection, its key included).

import { type Logger, pino } from 'pino'

export type Log = Logger

/** Opens the log. `name` tells nodes of one process apart. Errors go under the key `err`. */
export function openLog(level: string, name: string): Log {
  return pino(
    { level, name, serializers: { err: (error: unknown) => describe(error) } },
    pino.destination({ dest: 2, sync: true }),
  )
}

/** What a log line says of an error, and of what caused it. */
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
