// The process: read the configuration, open, serve, wait for a signal, close. No logic.

import { openApp } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { StartError } from './errors.ts'
import { openInstallation } from './local/installation.ts'
import { password, people, seed } from './local/seed.ts'
import { openLog } from './log.ts'
import { serve } from './server/server.ts'

const closers: (() => Promise<void>)[] = []
const signals = ['SIGINT', 'SIGTERM'] as const
/** npm hands on the Ctrl-C that the terminal gave us already: what comes so soon is not a second wish. */
const sameWishMs = 1_000
/** How long closing may take, beside the draining. */
const closingMs = 30_000
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

/** Ends the process at once, as if nobody had listened for the signal. */
function endNow(name: NodeJS.Signals): void {
  for (const each of signals) process.removeAllListeners(each)
  process.kill(process.pid, name)
}

async function start(): Promise<void> {
  const config = readConfig()
  drainMs = config.http.drainMs
  const log = openLog(config.logLevel, 'parley')
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was left alone and failed: a bug'))
  const installation = await openInstallation(config, log)
  closers.push(installation.close)
  config.secrets.vapid = installation.vapid
  const app = await openApp(config, installation.databaseUrl, installation.tokenSecret, log)
  closers.push(app.close)
  if (config.isSeeded) await seed(app)
  const server = await serve(app)
  closers.push(server.close)
  say(`Parley is ready.`)
  say(
    `  ${config.isProduction ? 'GraphQL             ' : 'GraphQL and GraphiQL'}  http://${hostOf(server.host)}:${server.port}/graphql`,
  )
  say(`  Subscriptions         ws://${hostOf(server.host)}:${server.port}/graphql (graphql-transport-ws)`)
  say(`  A page to chat on     http://${hostOf(server.host)}:${server.port}/`)
  if (config.isSeeded) {
    say(`  Log in as ${people.map(({ username }) => username).join(', ')}; the password is "${password}".`)
  }
}

const hostOf = (host: string) =>
  host === '0.0.0.0' || host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
const say = (text: string) => process.stdout.write(`${text}\n`)

async function stop(): Promise<void> {
  const limit = setTimeout(() => {
    process.stderr.write('Closing took too long: ending at once\n')
    endNow('SIGTERM')
  }, drainMs + closingMs)
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => process.stderr.write(`While closing: ${String(error)}\n`))
  }
  clearTimeout(limit)
}

try {
  await start()
  await signal
} catch (error) {
  process.exitCode = 1
  const isExpected = error instanceof ConfigError || error instanceof StartError
  process.stderr.write(`${isExpected ? error.message : String((error as Error).stack)}\n`)
} finally {
  await stop()
}
