// The bench of delivery with and without Redis: `npx tsx bench/redis-away.ts`. Two nodes on one Postgres and one Redis; a
// message is sent to one over HTTP and awaited on a socket of the other, 200 times with Redis, and 200 times with the Redis
// process stopped (SIGSTOP) and then ended. It brings its own Postgres and Redis (`redis-server`), ends by itself, and prints a
// table.

import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { openApp } from '../src/app.ts'
import { readConfig } from '../src/config/read-config.ts'
import { findFreePort, startPostgres } from '../src/local/postgres.ts'
import { openLog } from '../src/log/log.ts'
import { serve } from '../src/server/server.ts'
import { unlimited } from '../test/support/rates.ts'

const rounds = 200
const pauseMs = 150
const log = openLog('silent', 'bench')
const say = (line: string) => process.stdout.write(`${line}\n`)

const directory = await mkdtemp(path.join(tmpdir(), 'parley-bench-'))
const postgres = await startPostgres(path.join(directory, 'postgres'), 'a password for the bench', log)
const redisPort = await findFreePort()
const redis = spawn('redis-server', ['--port', `${redisPort}`, '--bind', '127.0.0.1', '--save', '', '--dir', directory], {
  stdio: 'ignore',
})

async function openNode() {
  const environment = {
    ...unlimited,
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: postgres.url,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
  }
  const foundation = { databaseUrl: postgres.url, tokenSecrets: 'the token secret of the whole of the bench', vapid: null }
  const app = await openApp(readConfig(environment), foundation, log)
  const server = await serve(app)
  return { url: `http://127.0.0.1:${server.port}/graphql`, close: () => server.close().then(() => app.close()) }
}

async function ask<Data>(url: string, query: string, input: object, token?: string): Promise<Data> {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables: { input } }) })
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown }
  if (errors || !data) throw new Error(JSON.stringify(errors))
  return data
}

type SignedUp = { signUp: { accessToken: string; viewer: { id: string } } }
const signUp = (url: string, username: string) =>
  ask<SignedUp>(url, 'mutation S($input: SignUpInput!) { signUp(input: $input) { accessToken viewer { id } } }', {
    username,
    password: 'a password of the bench',
    displayName: username,
    deviceName: 'bench',
  })

const [here, there] = [await openNode(), await openNode()]
const alice = (await signUp(here.url, 'alice')).signUp
const bob = (await signUp(here.url, 'bob')).signUp
const started = await ask<{ startDirectConversation: { conversation: { id: string } } }>(
  here.url,
  'mutation D($input: StartDirectConversationInput!) { startDirectConversation(input: $input) { conversation { id } } }',
  { userId: bob.viewer.id },
  alice.accessToken,
)
const conversationId = started.startDirectConversation.conversation.id

const waiting = new Map<string, () => void>()
let isLive: () => void
const live = new Promise<void>((resolve) => {
  isLive = resolve
})
const client = createClient({
  url: there.url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { accessToken: bob.accessToken },
})
client.subscribe<{ events: { __typename: string; message?: { text: string } } }>(
  { query: 'subscription { events { __typename ... on MessageSent { message { text } } } }' },
  {
    next({ data }) {
      if (data?.events.__typename === 'CaughtUp') isLive()
      waiting.get(data?.events.message?.text ?? '')?.()
    },
    error: (error) => say(String(error)),
    complete: () => undefined,
  },
)
await live

/** Milliseconds from the send of a message to its receipt on the other node. */
async function deliver(): Promise<number> {
  const text = randomUUID()
  const received = new Promise<number>((resolve) => waiting.set(text, () => resolve(performance.now())))
  const begun = performance.now()
  const send = 'mutation M($input: SendMessageInput!) { sendMessage(input: $input) { cursor } }'
  await ask(here.url, send, { conversationId, clientMessageId: text, text }, alice.accessToken)
  const tookMs = (await received) - begun
  waiting.delete(text)
  return tookMs
}

async function measure(what: string): Promise<void> {
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    times.push(await deliver())
    await delay(Math.random() * 2 * pauseMs)
  }
  const [sorted, at] = [times.toSorted((a, b) => a - b), (share: number) => Math.min(rounds - 1, Math.floor(rounds * share))]
  const [p50, p99, most] = [sorted[at(0.5)], sorted[at(0.99)], sorted.at(-1)].map((ms) => `${(ms ?? 0).toFixed(1)} ms`)
  say(`| ${what} | ${p50} | ${p99} | ${most} |`)
}

say(`${cpus().length} cores, Node ${process.version}, ${rounds} messages each\n`)
say('| Redis | p50 | p99 | longest |\n|---|---|---|---|')
for (let round = 0; round < 50; round += 1) await deliver()
await measure('there')
redis.kill('SIGSTOP')
await measure('stopped (SIGSTOP)')
redis.kill('SIGKILL')
await measure('gone')

await client.dispose()
await here.close()
await there.close()
await postgres.stop()
await rm(directory, { recursive: true, force: true })
