// A node of Parley as `npm start` runs it: the compiled files of dist/, opened like in src/main.ts. It also reports what only
// this process knows: its SQL statements, and the append path without GraphQL.

import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as AppModule from '../../src/app.ts'
import type * as ConfigModule from '../../src/config/read-config.ts'
import type { ConversationId, SessionId, UserId } from '../../src/id.ts'
import type * as LogModule from '../../src/log/log.ts'
import type * as ActionsModule from '../../src/message/send-actions.ts'
import type * as ServerModule from '../../src/server/server.ts'
import { textOf } from '../kit/fact.ts'
import { expose, settings } from '../kit/parent.ts'
import { uuidv7 } from '../kit/uuid.ts'

/** The settings of a node. */
export type ParleySettings = {
  readonly root: string
  readonly databaseUrl: string
  readonly tokenSecret: string
  /** Parley's variables, beside the database. */
  readonly environment?: Record<string, string>
  /** False for the journal alone, without a network port. */
  readonly isServing?: boolean
}
/** A conversation and a member who sends, by their row ids. */
export type Pair = readonly [conversationId: number, senderId: number]
/** A statement as it went to Postgres. */
export type Recorded = {
  readonly name?: string
  readonly text: string
  readonly values: readonly unknown[]
  readonly rowMode?: 'array'
}

const { root, databaseUrl, tokenSecret, environment = {}, isServing = true } = settings<ParleySettings>()
const load = async <M>(file: string) => (await import(pathToFileURL(path.join(root, 'dist', file)).href)) as M
const { openApp } = await load<typeof AppModule>('app.js')
const { readConfig } = await load<typeof ConfigModule>('config/read-config.js')
const { openLog } = await load<typeof LogModule>('log/log.js')
const { serve } = await load<typeof ServerModule>('server/server.js')
const { sendMessage } = await load<typeof ActionsModule>('message/send-actions.js')

const config = readConfig({
  NODE_ENV: 'production',
  PORT: '0',
  DATABASE_URL: databaseUrl,
  PARLEY_TOKEN_SECRET: tokenSecret,
  ...environment,
})
const foundation = { databaseUrl, tokenSecrets: tokenSecret, vapid: config.secrets.vapid }
const app = await openApp(config, foundation, openLog('warn', 'bench'))
const server = isServing ? await serve(app) : null
// The journal alone: the search index does not follow.
if (!isServing) await app.indexer.close()

let recorded: Recorded[] | null = null

/** Records the statements to Postgres, from the first call of `record` on. */
function watch(): void {
  const { Client } = createRequire(path.join(root, 'package.json'))('pg') as {
    Client: { prototype: Record<'query', (...args: unknown[]) => unknown> }
  }
  const { query } = Client.prototype
  Client.prototype.query = function (this: unknown, ...args: unknown[]) {
    const [statement] = args
    if (recorded && typeof statement === 'object' && statement !== null && 'text' in statement) {
      const { name, text, values = [], rowMode } = statement as Partial<Recorded> & { text: string }
      recorded.push({ text, values, ...(name ? { name } : {}), ...(rowMode ? { rowMode } : {}) })
    }
    return query.apply(this, args)
  }
}

/** Sends a message past GraphQL, like the field does. */
async function append([conversationId, senderId]: Pair, label: string): Promise<void> {
  const viewer = { userId: senderId as UserId, sessionId: 0 as SessionId }
  const message = {
    conversationId: conversationId as ConversationId,
    text: textOf(label),
    replyToId: null,
    mentionedUserIds: [],
    attachmentIds: [],
    data: null,
    sealed: null,
  }
  await sendMessage(viewer, { ...message, clientMessageId: uuidv7() }, app)
}

const api = {
  port: () => server?.port ?? 0,
  /** Starts recording statements. */
  record() {
    if (!recorded) watch()
    recorded = []
  },
  /** The statements since `record`. */
  recorded: () => recorded?.splice(0) ?? [],
  /** Appends messages from a number of clients at once, each waiting for its answer; returns how many a second. */
  async append(pairs: readonly Pair[], clients: number, ms: number): Promise<number> {
    const begun = performance.now()
    let sent = 0
    const client = async (index: number) => {
      for (; performance.now() - begun < ms; sent += 1) await append(pairs[index % pairs.length] as Pair, `${index}`)
    }
    await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
    return (sent / (performance.now() - begun)) * 1_000
  },
  /** Appends a number of messages to each. */
  async fill(pairs: readonly Pair[], each: number): Promise<void> {
    await Promise.all(
      pairs.map(async (pair) => {
        for (let index = 0; index < each; index += 1) await append(pair, `${index}`)
      }),
    )
  },
}
export type ParleyServer = typeof api

expose(api)
