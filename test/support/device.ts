// A device of a user: it talks to a node over HTTP and graphql-ws, like an app, with typed documents.

import { randomUUID } from 'node:crypto'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { type ExecutionResult, print } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import WebSocket from 'ws'
import * as documents from './documents.ts'
import { EventLog } from './event-log.ts'
import type { Node } from './node.ts'
import { closeAtEnd } from './node.ts'

/** An error as a client receives it. */
export type ClientError = {
  message: string
  path?: readonly (string | number)[]
  extensions: { code: string; retryable: boolean; argument?: string; retryAfterMs?: number; requestId?: string }
}

/** The result of one request. */
export type RequestResult<Data> = { data: Data | null; errors: readonly ClientError[] }

export const password = 'correct horse battery staple'

/** Sends one operation over HTTP. */
export async function request<Data, Variables>(
  url: string,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken?: string,
  more: Readonly<Record<string, string>> = {},
): Promise<RequestResult<Data>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
      ...more,
    },
    body: JSON.stringify({ query: print(document), variables }),
  })
  const { data = null, errors = [] } = (await response.json()) as Partial<RequestResult<Data>>
  return { data, errors }
}

/** One logged-in device of a user. */
export class Device {
  readonly username: string
  readonly userId: string
  node: Node
  accessToken: string
  refreshToken: string
  readonly sessionId: string
  /** Whether it connects as idle. */
  isIdle = false

  constructor(
    node: Node,
    login: { accessToken: string; refreshToken: string; session: { id: string }; viewer: { id: string; username: string } },
  ) {
    this.node = node
    this.accessToken = login.accessToken
    this.refreshToken = login.refreshToken
    this.sessionId = login.session.id
    this.userId = login.viewer.id
    this.username = login.viewer.username
  }

  /** Sends an operation; returns its data, or fails with its first error. */
  async run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
    const { data, errors } = await request(this.node.url, document, variables, this.accessToken)
    if (errors[0] || !data) throw Object.assign(new Error(`${errors[0]?.extensions.code}: ${errors[0]?.message}`), { errors })
    return data
  }

  /** Sends an operation that must fail; returns its first error. */
  async refused<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<ClientError> {
    const { errors } = await request(this.node.url, document, variables, this.accessToken)
    if (!errors[0]) throw new Error('the operation was not refused')
    return errors[0]
  }

  /** Logs the same user in on another device, at any node. */
  async another(node: Node = this.node, deviceName = 'Another device'): Promise<Device> {
    return logIn(node, this.username, deviceName)
  }

  /** The direct conversation with a user. */
  async direct(other: Device): Promise<string> {
    const { startDirectConversation } = await this.run(documents.StartDirectConversation, { input: { userId: other.userId } })
    return startDirectConversation.conversation.id
  }

  /** A new group with these users. */
  async group(title: string, ...others: readonly Device[]): Promise<string> {
    const { createGroup } = await this.run(documents.CreateGroup, { input: { title, memberIds: others.map((o) => o.userId) } })
    return createGroup.conversation.id
  }

  /** Sends a text. */
  async send(conversationId: string, text: string, clientMessageId: string = randomUUID()) {
    const { sendMessage } = await this.run(documents.SendMessage, { input: { conversationId, text, clientMessageId } })
    return sendMessage
  }

  /** A graphql-ws client of this device. `client.terminate()` cuts it. */
  socket(onClosed: (code: number, reason: string) => void = () => undefined): Client {
    const client = createClient({
      url: this.node.socketUrl,
      webSocketImpl: WebSocket,
      connectionParams: () => ({ accessToken: this.accessToken, idle: this.isIdle }),
      retryAttempts: 0,
      on: {
        closed: (event) => {
          const { code, reason } = event as { code: number; reason: string }
          onClosed(code, reason)
        },
      },
    })
    closeAtEnd(async () => client.dispose())
    return client
  }

  /** Subscribes to events over a socket of its own. */
  events(variables: { after?: string | null; conversationId?: string | null } = {}): EventLog {
    const log = new EventLog()
    const client = this.socket((code, reason) => log.end({ code, reason }))
    const query = print(documents.Events)
    log.cut = () => client.terminate()
    log.stop = client.subscribe<NonNullable<ExecutionResult['data']>>(
      { query, variables },
      {
        next: (result) => log.take(result as never),
        error: (error) => log.fail(error),
        complete: () => log.end({ code: 1000, reason: 'complete' }),
      },
    )
    return log
  }
}

/** Signs a user up; the username is made unique, for tests that share a node. */
export async function signUp(node: Node, name: string, deviceName = 'Phone'): Promise<Device> {
  const input = { username: name.toLowerCase(), password, displayName: name, deviceName }
  const { data, errors } = await request(node.url, documents.SignUp, { input })
  if (!data) throw new Error(`signUp: ${errors[0]?.message}`)
  return new Device(node, data.signUp)
}

/** Signs several users up, in order. */
export async function signUpAll(node: Node, ...names: readonly string[]): Promise<Device[]> {
  const devices: Device[] = []
  for (const name of names) devices.push(await signUp(node, name))
  return devices
}

/** Logs a user in. */
export async function logIn(node: Node, username: string, deviceName = 'Laptop'): Promise<Device> {
  const { data, errors } = await request(node.url, documents.LogIn, { input: { username, password, deviceName } })
  if (!data) throw new Error(`logIn: ${errors[0]?.message}`)
  return new Device(node, data.logIn)
}
