// The backend of a product, as tests play it: it calls Parley with a server key, for itself or on behalf of a user.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { type Client, createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { createServerKey } from '../../src/platform/key-actions.ts'
import type { ServerKeyScope } from '../../src/viewer.ts'
import { type ClientError, Device, type RequestResult, request } from '../support/device.ts'
import type { UpsertUserInput } from '../support/generated/graphql.ts'
import { closeAtEnd, type Node } from '../support/node.ts'
import { IssueSession, UpsertUsers } from './documents.ts'

/** A backend with a key. */
export class Backend {
  readonly node: Node
  readonly token: string
  readonly keyId: number

  constructor(node: Node, token: string, keyId: number) {
    this.node = node
    this.token = token
    this.keyId = keyId
  }

  /** Sends an operation, on behalf of `actAs` if it is given. */
  ask<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    actAs?: string,
  ): Promise<RequestResult<Data>> {
    return request(this.node.url, document, variables, this.token, actAs === undefined ? {} : { 'parley-act-as': actAs })
  }

  /** Sends an operation; returns its data, or fails with its first error. */
  async run<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables, actAs?: string): Promise<Data> {
    const { data, errors } = await this.ask(document, variables, actAs)
    if (errors[0] || !data) throw Object.assign(new Error(`${errors[0]?.extensions.code}: ${errors[0]?.message}`), { errors })
    return data
  }

  /** Sends an operation that must fail; returns its first error. */
  async refused<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    actAs?: string,
  ): Promise<ClientError> {
    const { errors } = await this.ask(document, variables, actAs)
    if (!errors[0]) throw new Error('the operation was not refused')
    return errors[0]
  }

  /** A graphql-ws client of this backend. */
  socket(actAs: string | undefined, onClosed: (code: number, reason: string) => void = () => undefined): Client {
    const client = createClient({
      url: this.node.socketUrl,
      webSocketImpl: WebSocket,
      connectionParams: { accessToken: this.token, ...(actAs === undefined ? {} : { actAs }) },
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
}

/** Makes a key as an operator does, and a backend that has it. */
export const openBackend = (node: Node, ...scopes: readonly ServerKeyScope[]) => openBackendOf(null, node, ...scopes)

/** The same, with a key for one tenant. */
export async function openBackendOf(tenant: string | null, node: Node, ...scopes: readonly ServerKeyScope[]): Promise<Backend> {
  const { id, token } = await createServerKey(null, { name: `test ${scopes.join()}`, scopes, tenant }, node.app)
  return new Backend(node, token, id)
}

/** A device of a user, who is made if there is none yet, with a session that the backend opens. */
export async function deviceOf(backend: Backend, user: UpsertUserInput, at: Node = backend.node): Promise<Device> {
  await backend.run(UpsertUsers, { input: { users: [user] } })
  const input = { userId: user.externalId, deviceKind: 'PHONE', deviceName: 'their phone' } as const
  return new Device(at, (await backend.run(IssueSession, { input })).issueSession)
}
