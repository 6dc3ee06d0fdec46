// The process: read the configuration, open, serve, wait for a signal, close. No logic.

import './log/standard-error.ts'

import { openApp } from './app.ts'
import { ConfigError } from './config/config.ts'
import { readConfig } from './config/read-config.ts'
import { StartError } from './errors.ts'
import { openInstallation } from './local/installation.ts'
import { password, people, seed } from './local/seed.ts'
import { openLog, type ReportProgress } from './log/log.ts'
import { setLog } from './log/standard-error.ts'
import { type Server, serve } from './server/server.ts'

const closers: (() => Promise<void>)[] = []
const signals = ['SIGINT', 'SIGTERM'] as const
/** npm passes on a Ctrl-C that this process has already received from the terminal: this soon, it is the same request. */
const sameWishMs = 1_000
/** How long closing may wait for Postgres after draining: the time in which an operation under way must be answered. */
const patienceMs = 6_000
/** How long closing may take after draining. */
const closingMs = 15_000
let log = openLog('info', 'parley')
let giveUpPostgres = () => {}
let drainMs = 0

const signal = new Promise<void>((resolve) => {
  let askedAt: number | null = null
  const ask = (name: NodeJS.Signals) => {
    askedAt ??= Date.now()
    if (Date.now() - askedAt > sameWishMs) endNow(name)
    resolve()
  }
  for (const name of signals) process.on(name, ask)
})

/** Ends the process at once, as a signal without a listener does. */
function endNow(name: NodeJS.Signals): void {
  for (const each of signals) process.removeAllListeners(each)
  process.kill(process.pid, name)
}

async function start(): Promise<void> {
  const config = readConfig()
  drainMs = config.http.drainMs
  log = openLog(config.logLevel, 'parley')
  setLog(log)
  // In production nobody watches the start, so progress goes to the log.
  const report: ReportProgress = config.isProduction
    ? (fields, sentence) => log.info(fields, sentence)
    : (_fields, sentence) => say(`${sentence}.`)
  const installation = await openInstallation(config, report)
  closers.push(installation.close)
  const app = await openApp(config, installation, log, report)
  closers.push(app.close)
  giveUpPostgres = () => app.store.abandon()
  if (config.isSeeded) await seed(app)
  const server = await serve(app)
  closers.push(server.close)
  report({ host: server.host, port: server.port }, 'Parley is ready')
  if (!config.isProduction) sayWhere(server, config.isSeeded)
}

/** Prints the addresses of the server. */
function sayWhere({ host, port }: Server, isSeeded: boolean): void {
  const address = `${hostOf(host)}:${port}`
  say(`  GraphQL and GraphiQL  http://${address}/graphql`)
  say(`  Subscriptions         ws://${address}/graphql (graphql-transport-ws)`)
  say(`  A page to chat on     http://${address}/`)
  if (isSeeded) say(`  Log in as ${people.map(({ username }) => username).join(', ')}; the password is "${password}".`)
}

const hostOf = (host: string) =>
  host === '0.0.0.0' || host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
const say = (text: string) => process.stdout.write(`${text}\n`)

async function stop(): Promise<void> {
  const limit = setTimeout(() => {
    log.error('closing took too long: exiting now')
    endNow('SIGTERM')
  }, drainMs + closingMs)
  const patience = setTimeout(giveUpPostgres, drainMs + patienceMs)
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => log.error({ err: error }, 'a part of the node failed to close'))
  }
  clearTimeout(patience)
  clearTimeout(limit)
}

try {
  await start()
  await signal
} catch (error) {
  process.exitCode = 1
  // The operator can fix problems with the settings or the database, so these errors are printed as plain sentences.
  if (error instanceof ConfigError || error instanceof StartError) process.stderr.write(`${error.message}\n`)
  else log.fatal({ err: error }, 'Parley could not start: a bug')
} finally {
  await stop()
}
