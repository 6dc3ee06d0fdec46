// The Relay compiler accepts the schema, with the fragments of a real app: pagination, refetching, and updates of connections.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** The components of an app, as Relay's conventions name their operations. */
const components: Readonly<Record<string, string>> = {
  ConversationList: `
    fragment ConversationList_query on Query
      @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
      @refetchable(queryName: "ConversationListPaginationQuery") {
      conversations(first: $first, after: $after) @connection(key: "ConversationList_conversations") {
        edges { node { id ...ConversationRow_conversation } }
      }
    }`,
  ConversationRow: `
    fragment ConversationRow_conversation on Conversation {
      title unreadCount lastMessage { text sender { displayName } }
    }`,
  MessageList: `
    fragment MessageList_conversation on Conversation
      @argumentDefinitions(last: { type: "Int", defaultValue: 50 }, before: { type: "String" })
      @refetchable(queryName: "MessageListPaginationQuery") {
      id
      messages(last: $last, before: $before) @connection(key: "MessageList_messages") {
        edges { node { id seq text sender { ...UserName_user } reactions { emoji count } } }
      }
    }`,
  UserName: `
    fragment UserName_user on User @refetchable(queryName: "UserNameRefetchQuery") { username displayName }`,
  App: `
    query AppQuery($id: ID!) {
      ...ConversationList_query
      conversation(id: $id) { ...MessageList_conversation }
    }`,
  Composer: `
    mutation ComposerMutation($input: SendMessageInput!) { sendMessage(input: $input) { message { id text } cursor } }`,
  Events: `
    subscription EventsSubscription($after: Cursor) {
      events(after: $after) {
        __typename cursor
        ... on MessageSent { message { id text conversation { id ...ConversationRow_conversation } } }
        ... on UserUpdated { user { ...UserName_user } }
      }
    }`,
}

test('the Relay compiler compiles the fragments of an app against the schema', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-relay-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const source = path.join(directory, 'src')
  await mkdir(source)
  await copyFile(path.join(root, 'schema.graphql'), path.join(directory, 'schema.graphql'))
  for (const [name, document] of Object.entries(components)) {
    await writeFile(path.join(source, `${name}.ts`), `import { graphql } from 'relay-runtime'\ngraphql\`${document}\`\n`)
  }
  const config = {
    src: 'src',
    schema: 'schema.graphql',
    language: 'typescript',
    customScalarTypes: { Cursor: 'string', DateTime: 'string' },
  }
  await writeFile(path.join(directory, 'relay.config.json'), JSON.stringify(config))
  const compiler = path.join(root, 'node_modules/relay-compiler/cli.js')
  // biome-ignore lint/style/noProcessEnv: without the path the compiler finds no program
  const env = { PATH: process.env.PATH ?? '', CI: 'true' }
  await run(process.execPath, [compiler, '--noWatchman', 'relay.config.json'], { cwd: directory, env, timeout: 60_000 }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${error.stdout}\n${error.stderr}`)
    },
  )
  const made = await readdir(path.join(source, '__generated__'))
  for (const name of [
    'AppQuery',
    'ConversationListPaginationQuery',
    'MessageListPaginationQuery',
    'UserNameRefetchQuery',
    'EventsSubscription',
  ])
    expect(made).toContain(`${name}.graphql.ts`)
})
