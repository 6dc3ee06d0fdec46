// `parley-client/testing`: Parley in memory, in the process of a test. It has the schema of the server, begins with a seed, and its
// network can be as bad as a test wants it.

import { type Document, type Print, textOf, type Variables } from '../document.ts'
import { ParleyFailure, type Result, refusal } from '../failure.ts'
import type { WebSocketClass } from '../socket.ts'
import type { Credentials, CredentialsStore } from '../storage.ts'
import { uuidv7 } from '../uuid.ts'
import { endSession, TestTokens } from './accounts.ts'
import { TestEngine } from './engine.ts'
import { testResolvers } from './root-fields.ts'
import { conversationNamed, plant, type Seed, userNamed } from './seed.ts'
import { stopAllTyping } from './signals.ts'
import { testFetch } from './test-fetch.ts'
import { type NetworkConditions, TestNetwork } from './test-network.ts'
import { TestRandom } from './test-random.ts'
import { TestSocket } from './test-socket.ts'
import { serveSocket } from './transport-ws.ts'
import { type TestSession, TestWorld } from './world.ts'

export { lacksCode } from './refusal.ts'
export { type Seed, type SeedConversation, type SeedMessage, type SeedUser, seedPassword } from './seed.ts'
export { type NetworkConditions, type NetworkFault, type TestNetwork, worstNetwork } from './test-network.ts'

/** The options of `createTestServer`. */
export type TestServerOptions = {
  readonly seed?: Seed
  /** The seed of everything random: the same one draws the same faults. 1 by default. */
  readonly random?: number
  readonly network?: Partial<NetworkConditions>
  /** `print` of the package graphql, if you give documents as syntax trees to `execute`. */
  readonly print?: Print
}

/** Acts as a user, past the network. */
export type TestActor = {
  readonly userId: string
  /** Sends a message to a conversation: its ID, its title, or the username of the other person. */
  send(conversation: string, text: string): { readonly id: string; readonly seq: number }
  /** Shows or ends the typing of this user in a conversation. */
  type(conversation: string, isTyping?: boolean): void
  /** Runs a query or a mutation. @throws ParleyFailure if the server refuses it */
  execute<Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars): Data
}

/** A Parley server in memory. */
export type TestServer = {
  /** Pass these three to `createParleyClient`; nothing is opened at this address. */
  readonly url: string
  readonly fetch: typeof globalThis.fetch
  readonly webSocketImpl: WebSocketClass
  readonly network: TestNetwork
  /** Opens a session of a user: pass it as `session` to `createParleyClient`. Each call is another device. */
  credentials(username: string, deviceName?: string): CredentialsStore & { readonly current: Credentials | null }
  /** Acts as another user. */
  as(username: string): TestActor
  /** The ID of a conversation of a user, by its title or by the username of the other person. */
  conversationId(username: string, name: string): string
  /** Expires all access tokens; sockets close with 4602. */
  expireTokens(): void
  /** Ends all sessions of a user; sockets close with 4603. */
  endSessions(username: string): void
  /** Makes every cursor useless: streams resume with a RESET for this reason. */
  reset(reason?: 'CURSOR_TOO_OLD' | 'OTHER_EPOCH'): void
  /** Breaks all sockets and stops all timers. */
  close(): void
}

const [tokenExpired, resume] = [4602, 4610]

/** Makes a server in memory. Nothing is opened outside this process. */
export function createTestServer({ seed = {}, random = 1, network: conditions = {}, print }: TestServerOptions = {}): TestServer {
  const source = new TestRandom(random)
  const world = new TestWorld(source)
  const tokens = new TestTokens(world)
  const engine = new TestEngine(testResolvers(tokens))
  const network = new TestNetwork(new TestRandom(random + 1))
  const host = { world, tokens, engine }
  plant(world, seed)
  network.set(conditions)
  return {
    url: 'http://parley.test/graphql',
    fetch: testFetch(network, host),
    webSocketImpl: class extends TestSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { network, accept: (side) => serveSocket(side, host) })
      }
    },
    network,
    credentials: (username, deviceName = 'Test') => sessionStore(host, username, deviceName),
    as: (username) => actorOf(host, username, print),
    conversationId: (username, name) => conversationNamed(world, userNamed(world, username), name).id,
    expireTokens: () => {
      tokens.expireAll()
      for (const connection of [...world.connections]) connection.close(tokenExpired, 'The access token has expired')
    },
    endSessions: (username) => {
      const { id } = userNamed(world, username)
      for (const session of world.sessions.values()) if (session.userId === id) endSession(world, session)
      world.journal.announce()
    },
    reset: (reason = 'CURSOR_TOO_OLD') => {
      if (reason === 'OTHER_EPOCH') world.journal.newEpoch()
      else world.journal.trim()
      network.dropSockets(resume)
    },
    close: () => {
      network.cut()
      stopAllTyping(world)
    },
  }
}

type Host = { readonly world: TestWorld; readonly tokens: TestTokens; readonly engine: TestEngine }

/** Credentials as an app stores them. */
function sessionStore({ world, tokens }: Host, username: string, deviceName: string) {
  const { accessToken, refreshToken, expiresAt } = tokens.open(userNamed(world, username), deviceName).credentials
  const store = {
    current: { accessToken, refreshToken, expiresAt: expiresAt.toISOString() } as Credentials | null,
    load: () => store.current,
    save: (given: Credentials | null) => {
      store.current = given
    },
  }
  return store
}

function actorOf({ world, tokens, engine }: Host, username: string, print: Print | undefined): TestActor {
  const user = userNamed(world, username)
  const session: TestSession = tokens.open(user, 'Acting').session
  const run = (query: string, variables: Variables): unknown => {
    const operation = engine.prepare({ query, variables })
    if (operation.kind === 'subscription') throw new ParleyFailure('OPERATION_REFUSED', 'Subscribe with a client.', false)
    const answer = engine.execute(operation, { world, session, refused: null, connection: null })
    // As over the network: nothing of the server's own objects gets out.
    const { data, errors } = JSON.parse(JSON.stringify(answer)) as Result
    if (errors || data == null) throw refusal(errors ?? [])
    return data
  }
  const named = (name: string) => conversationNamed(world, user, name).id
  return {
    userId: user.id,
    send: (name, text) => {
      const input = { conversationId: named(name), clientMessageId: uuidv7(), text }
      const query = 'mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { id seq } } }'
      return (run(query, { input }) as { sendMessage: { message: { id: string; seq: number } } }).sendMessage.message
    },
    type: (name, isTyping = true) => {
      const query = 'mutation Type($input: SetTypingInput!) { setTyping(input: $input) { lapsesAt } }'
      run(query, { input: { conversationId: named(name), typing: isTyping } })
    },
    execute: <Data, Vars extends Variables>(document: Document<Data, Vars>, variables: Vars) =>
      run(textOf(document, print), variables) as Data,
  }
}
