// The process: read the configuration, open, serve, wait for a signal, close. No logic.

import { openApp } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { StartError } from './errors.ts'
import { openInstallation } from './local/installation.ts'
import { password, people, seed } from './local/seed.ts'
import { openLog } from './log.ts'
import { serve } from './server/server.ts'

const closers: (() => Promise<void>)[] = []
const signal = new Promise<NodeJS.Signals>((resolve) => {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, resolve)
})

async function start(): Promise<void> {
  const config = readConfig()
  const log = openLog(config.logLevel, 'parley')
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a promise was left alone and failed: a bug'))
  const installation = await openInstallation(config, log)
  closers.push(installation.close)
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
  if (config.isSeeded) {
    say(`  Log in as ${people.map(({ username }) => username).join(', ')}; the password is "${password}".`)
  }
}

const hostOf = (host: string) =>
  host === '0.0.0.0' || host === '127.0.0.1' ? 'localhost' : host.includes(':') ? `[${host}]` : host
const say = (text: string) => process.stdout.write(`${text}\n`)

async function stop(): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => process.stderr.write(`While closing: ${String(error)}\n`))
  }
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
