// The two servers of the contract: the real one, and the one in memory of parley-client/testing. A person talks to either through the
// client library.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import WebSocket from 'ws'
import { createParleyClient, type ParleyClient, type ParleyClientOptions, ParleyFailure } from '../../client/src/client.ts'
import { openStore, type ParleyStore } from '../../client/src/react.ts'
import { createTestServer, type TestServer } from '../../client/src/testing/testing.ts'
import { password } from '../support/device.ts'
import * as documents from '../support/documents.ts'
import type { LogInMutation } from '../support/generated/graphql.ts'
import { closeAtEnd, openNode } from '../support/node.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { quick, sharedStore, TestApp, withoutGateway } from './app.ts'

type Line = Pick<ParleyClientOptions, 'url' | 'fetch' | 'webSocketImpl'>

/** A server of the contract. */
export type ContractServer = {
  readonly line: Line
  /** Takes the network away, with all sockets, until `restore`. */
  cut(): void
  restore(): void
  /** Signs people up. */
  people(...names: readonly string[]): Promise<Person[]>
}

/** Opens a real server, behind a proxy. */
export async function openRealServer(): Promise<ContractServer> {
  const node = await openNode()
  const proxy = await openProxy(node.url)
  const line = { url: proxy.url, fetch: withoutGateway, webSocketImpl: WebSocket as never }
  return { line, cut: () => proxy.cut(), restore: () => proxy.restore(), people: (...names) => signUpAll(line, names) }
}

/** Opens a server in memory. */
export async function openTestServer(): Promise<ContractServer> {
  const server: TestServer = createTestServer()
  closeAtEnd(async () => server.close())
  const { url, fetch, webSocketImpl, network } = server
  const line = { url, fetch, webSocketImpl }
  return { line, cut: () => network.cut(), restore: () => network.restore(), people: (...names) => signUpAll(line, names) }
}

/** Signs people up, one after another: their IDs are in order. */
export async function signUpAll(line: Line, names: readonly string[]): Promise<Person[]> {
  const door = createParleyClient({ ...line, print, limits: quick })
  const people: Person[] = []
  for (const name of names) {
    const input = { username: name.toLowerCase(), password, displayName: name, deviceName: 'Phone' }
    const { signUp } = await door.request(documents.SignUp, { input })
    people.push(new Person(line, signUp))
  }
  await door.close()
  return people
}

type Login = Omit<LogInMutation['logIn'], '__typename'>

/** Somebody with a device. */
export class Person {
  readonly username: string
  readonly userId: string
  readonly sessionId: string
  readonly store: ReturnType<typeof sharedStore>
  readonly client: ParleyClient
  readonly #line: Line

  constructor(line: Line, login: Login) {
    this.#line = line
    this.username = login.viewer.username
    this.userId = login.viewer.id
    this.sessionId = login.session.id
    this.store = sharedStore(login)
    this.client = this.#client()
  }

  /** A further client of this device. */
  #client(): ParleyClient {
    const client = createParleyClient({ ...this.#line, print, session: this.store, limits: quick })
    closeAtEnd(() => client.close())
    return client
  }

  async logIn(): Promise<Login> {
    const door = createParleyClient({ ...this.#line, print, limits: quick })
    const { logIn } = await door.request(documents.LogIn, { input: { username: this.username, password, deviceName: 'Tablet' } })
    await door.close()
    return logIn
  }

  /** Another device of the same user. */
  async another(): Promise<Person> {
    return new Person(this.#line, await this.logIn())
  }

  /** Runs an operation. @throws ParleyFailure */
  run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    return this.client.request(document, variables as Variables & { readonly [name: string]: unknown })
  }

  /** The code and the argument with which an operation is refused. */
  async refused<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<string> {
    const failure = await this.run(document, variables).then(
      () => null,
      (error: unknown) => error,
    )
    if (!(failure instanceof ParleyFailure)) throw new Error('the operation was not refused')
    return [failure.code, failure.argument].filter(Boolean).join(' ')
  }

  async direct(other: Person): Promise<string> {
    const { startDirectConversation } = await this.run(documents.StartDirectConversation, { input: { userId: other.userId } })
    return startDirectConversation.conversation.id
  }

  async group(title: string, ...others: readonly { readonly userId: string }[]): Promise<string> {
    const input = { title, memberIds: others.map(({ userId }) => userId) }
    return (await this.run(documents.CreateGroup, { input })).createGroup.conversation.id
  }

  async send(conversationId: string, text: string, clientMessageId: string = randomUUID()) {
    const input = { conversationId, text, clientMessageId }
    return (await this.run(documents.SendMessage, { input })).sendMessage
  }

  /** An app on this device that follows, and is live. */
  follow(after: string | null = null): Promise<TestApp> {
    const app = new TestApp({ ...this.#line, session: this.store })
    app.cursor = after
    return app.follow().live()
  }

  /** A store on this device that is live, and shows every conversation. */
  async openStore(): Promise<ParleyStore> {
    const store = await openStore(this.#client())
    closeAtEnd(() => store.close())
    await until('the store to be live', () => store.client.state.status === 'LIVE')
    return store
  }
}
