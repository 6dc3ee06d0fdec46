// Structured logs on standard error, one JSON object a line. Secrets never reach a log line: see `redact`.

import { type Logger, pino } from 'pino'

export type Log = Logger

/** Opens the log. `name` tells nodes of one process apart. */
export function openLog(level: string, name: string): Log {
  return pino(
    { level, name, redact: ['*.password', '*.accessToken', '*.refreshToken', '*.authorization', '*.p256dh', '*.auth'] },
    pino.destination({ dest: 2, sync: true }),
  )
}
