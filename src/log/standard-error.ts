// Keeps standard error for the log: turns the plain text of Node and of libraries into log lines. That is warnings, uncaught
// errors, and output of the console. main.ts imports this file before all others, because a module may warn while it loads.

import { format } from 'node:util'
import { type Log, openLog } from './log.ts'

let log = openLog('info', 'parley')

/** Sends the lines to this log from now on. Until then they go to a log of their own. */
export function setLog(opened: Log): void {
  log = opened
}

process.removeAllListeners('warning') // Node's own listener writes text
process.on('warning', (warning) => log.warn({ err: warning }, 'Node warns'))
process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was rejected and nothing handled it: a bug'))
process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'nothing caught this error, so the process ends: a bug')
  process.exit(1)
})

const levels = { debug: 'debug', error: 'error', info: 'info', log: 'info', trace: 'debug', warn: 'warn' } as const
for (const [name, level] of Object.entries(levels)) {
  Object.assign(console, { [name]: (...words: unknown[]) => log[level]({ from: 'console' }, format(...words)) })
}
