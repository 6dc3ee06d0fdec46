// The recipes of docs/clients.md run as they stand there, against a real server.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { print } from 'graphql'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import { createParleyClient, type ParleyClient } from '../../client/src/client.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { openProxy, type ServerProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { quick, sessionOf, withoutGateway } from './app.ts'
import { blocks, clientsPage, operations, runRecipe } from './recipe.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const relay: typeof import('relay-runtime') = createRequire(import.meta.url)('relay-runtime')
const { Events, Here } = operations

let node: Node
let round = 0
beforeAll(async () => {
  node = await openNode()
})

type Party = {
  readonly alice: Device
  readonly bob: Device
  readonly id: string
  readonly client: ParleyClient
  readonly proxy: ServerProxy
}

/** Two people with a group, and a client of the first behind a proxy. */
async function party(messages: number): Promise<Party> {
  round += 1
  const [alice, bob] = (await signUpAll(node, `Alice${round}`, `Bob${round}`)) as [Device, Device]
  const id = await alice.group('Lunch', bob)
  for (let n = 1; n <= messages; n += 1) await bob.send(id, `${n}`)
  const proxy = await openProxy(node.url)
  const client = createParleyClient({
    url: proxy.url,
    session: sessionOf(alice),
    webSocketImpl: WebSocket as never,
    fetch: withoutGateway,
    print,
    limits: quick,
  })
  closeAtEnd(() => client.close())
  return { alice, bob, id, client, proxy }
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`)
const edit = 'mutation Edit($input: EditMessageInput!) { editMessage(input: $input) { cursor } }'
const asUser = async (device: Device, query: string, variables: object) => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${device.accessToken}` }
  await fetch(node.url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
}

test.each([
  ['With urql', 'urql', 'Pages of history with urql'],
  ['With Apollo Client', 'apollo', 'Pages of history with Apollo Client'],
])('%s, pages of history stay true', async (setup, name, heading) => {
  const { bob, id, client } = await party(60)
  const made = await runRecipe<{ [name: string]: unknown }>(setup, { client, url: node.url, Events, Here }, [name])
  // The first snapshot empties the cache.
  await until('the client to be live', () => client.state.status === 'LIVE')
  let shown: readonly { id: string; text: string }[] = []
  const draw = (messages: readonly { id: string; text: string }[]) => {
    shown = messages
  }
  const { showOlder } = await runRecipe<{ showOlder(): unknown }>(heading, { ...made, id, draw }, ['showOlder'], clientsPage)
  const texts = () => shown.map(({ text }) => text)
  await until('the newest page', () => texts().length === 50)
  await showOlder()
  await until('both pages', () => texts().length === 60)
  expect(texts()).toEqual(range(1, 60))
  await asUser(bob, edit, { input: { messageId: shown[2]?.id, text: 'three' } })
  await bob.send(id, '61')
  await until('the events', () => texts().length === 61 && texts()[2] === 'three')
  expect(texts()).toEqual(['1', '2', 'three', ...range(4, 61)])
})

/** A folder for generated code, with the schema and the packages. */
async function folder(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-recipe-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  await mkdir(path.join(directory, 'src'))
  await copyFile(path.join(root, 'schema.graphql'), path.join(directory, 'schema.graphql'))
  await symlink(path.join(root, 'node_modules'), path.join(directory, 'node_modules'))
  return directory
}

/** Runs a program of a package in a folder. */
async function generate(directory: string, program: string, ...args: readonly string[]): Promise<void> {
  // biome-ignore lint/style/noProcessEnv: without the path the compiler finds no program
  const env = { PATH: process.env.PATH ?? '', CI: 'true' }
  await run(process.execPath, [path.join(root, 'node_modules', program), ...args], {
    cwd: directory,
    env,
    timeout: 60_000,
  }).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`)
  })
}

/** Loads a generated module. */
async function load<Module>(directory: string, file: string): Promise<Module> {
  const outfile = path.join(directory, `${path.basename(file)}.mjs`)
  await build({
    entryPoints: [path.join(directory, file)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['relay-runtime'],
  })
  return import(/* @vite-ignore */ pathToFileURL(outfile).href) as Promise<Module>
}

const documents = {
  Events: `subscription EventsSubscription($after: Cursor) {
    events(after: $after) {
      __typename cursor
      ... on SyncStarted { mode reason }
      ... on MessageSent { conversation { id } message { id seq text } }
      ... on MessageEdited { conversation { id } message { id seq text } }
    }
  }`,
  Messages: `query MessagesQuery($id: ID!) {
    conversation(id: $id) {
      id
      messages(last: 50) @connection(key: "Messages_messages") { edges { node { id seq text } } }
    }
  }`,
}

test('Relay shows what happens', async () => {
  const directory = await folder()
  for (const [name, document] of Object.entries(documents)) {
    await writeFile(path.join(directory, `src/${name}.ts`), `import { graphql } from 'relay-runtime'\ngraphql\`${document}\`\n`)
  }
  const scalars = { Cursor: 'string', DateTime: 'string', JSON: 'unknown' }
  const config = { src: 'src', schema: 'schema.graphql', language: 'typescript', customScalarTypes: scalars }
  await writeFile(path.join(directory, 'relay.config.json'), JSON.stringify(config))
  await generate(directory, 'relay-compiler/cli.js', '--noWatchman', 'relay.config.json')
  type Compiled = { readonly default: Parameters<typeof relay.createOperationDescriptor>[0] }
  const subscription = await load<Compiled>(directory, 'src/__generated__/EventsSubscription.graphql.ts')
  const query = await load<Compiled>(directory, 'src/__generated__/MessagesQuery.graphql.ts')

  const { bob, id, client, proxy } = await party(3)
  const given = { client, EventsSubscription: subscription.default, 'relay-runtime': relay }
  type Environment = InstanceType<typeof relay.Environment>
  const { environment } = await runRecipe<{ environment: Environment }>('Relay', given, ['environment'], clientsPage)
  const operation = relay.createOperationDescriptor(query.default, { id })
  environment.retain(operation)
  await relay.fetchQuery(environment, query.default as never, { id }).toPromise()
  type Seen = { conversation: { messages: { edges: { node: { id: string; text: string } }[] } } }
  const nodes = () =>
    (environment.lookup(operation.fragment).data as unknown as Seen).conversation.messages.edges.map((edge) => edge.node)
  const texts = () => nodes().map(({ text }) => text)
  expect(texts()).toEqual(range(1, 3))
  await until('the client to be live', () => client.state.status === 'LIVE')
  await bob.send(id, '4')
  await until('the message', () => texts().length === 4)
  proxy.cut()
  await asUser(bob, edit, { input: { messageId: nodes()[0]?.id, text: 'one' } })
  await bob.send(id, '5')
  proxy.restore()
  await until('what was missed', () => texts().length === 5)
  expect(texts()).toEqual(['one', ...range(2, 5)])
})

/** A store of an app of its own: texts and a cursor. */
function storeOf({ client }: Party) {
  const stored = {
    cursor: null as string | null,
    texts: [] as string[],
    replaced: 0,
    apply(event: { __typename: string; cursor: string; message?: { text: string } }) {
      stored.cursor = event.cursor
      if (event.__typename === 'MessageSent' && event.message) stored.texts.push(event.message.text)
    },
    async replace() {
      const { syncCursor } = await client.request<{ syncCursor: string }, Record<string, never>>('{ syncCursor }', {})
      stored.replaced += 1
      stored.texts = []
      return syncCursor
    },
  }
  return stored
}

test.each([
  ['graphql-ws alone', 'stop'],
  ['Server-sent events with graphql-sse', 'stream'],
])('%s: nothing is missed, and a RESET is a snapshot', async (heading, name) => {
  const all = await party(0)
  const { alice, bob, id, proxy } = all
  const stored = storeOf(all)
  const bytes = Buffer.from(await stored.replace(), 'base64url')
  bytes[3] = (bytes[3] ?? 0) ^ 0xff
  // A cursor of another installation.
  stored.cursor = bytes.toString('base64url')
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  onTestFinished(() => void vi.restoreAllMocks())
  const given = {
    url: proxy.url,
    webSocketImpl: WebSocket,
    validToken: async () => alice.accessToken,
    Events: print(Events as never),
    stored,
  }
  const made = await runRecipe<{ [name: string]: unknown }>(heading, given, [name], clientsPage)
  const stop = made.stop ?? (made.stream as { dispose(): void } | undefined)?.dispose
  onTestFinished(() => (stop as () => void)())
  await until('a stream from the snapshot', () => stored.replaced === 2 && stored.cursor !== bytes.toString('base64url'))
  await bob.send(id, '1')
  await until('the message', () => stored.texts.length === 1)
  proxy.cut()
  await bob.send(id, '2')
  proxy.restore()
  await bob.send(id, '3')
  await until('what was missed', () => stored.texts.length === 3, 20_000)
  expect(stored.texts).toEqual(range(1, 3))
  expect(stored.replaced).toBe(2)
})

test('codegen makes typed documents of the schema', async () => {
  const directory = await folder()
  const [config = ''] = blocks('ts', 'Typed documents', clientsPage)
  await writeFile(path.join(directory, 'codegen.ts'), config)
  const document = 'query Me { viewer { id username } }'
  await writeFile(
    path.join(directory, 'src/me.ts'),
    `import { graphql } from './generated'\nexport const Me = graphql(\`${document}\`)\n`,
  )
  await generate(directory, '@graphql-codegen/cli/cjs/bin.js', '--config', 'codegen.ts')
  const { Me } = await load<{ Me: { toString(): string } }>(directory, 'src/me.ts')
  const { client, alice } = await party(0)
  const { viewer } = await client.request<{ viewer: { username: string } }, Record<string, never>>(Me as never, {})
  expect(viewer.username).toBe(alice.username)
  const generated = await readFile(path.join(directory, 'src/generated/graphql.ts'), 'utf8')
  expect(generated).toContain('export type MeQuery')
})
