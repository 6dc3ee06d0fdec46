// Requests of a chaos run. The node behind an endpoint may be dead, frozen or cut off.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'

/** The endpoint of a node: the port of the proxy in front of it. */
export type Endpoint = { readonly name: string; readonly port: number }

/** The outcome of a request. `lost`: no answer came, or the client gave up; the request may have been carried out. */
export type Outcome<Data> =
  | { readonly status: 'answered'; readonly data: Data }
  | { readonly status: 'refused'; readonly code: string; readonly message: string }
  | { readonly status: 'lost' }

const timeoutMs = 4_000

/** Sends a request to a node over HTTP, and drops the connection after `dropAfterMs`, even if half of the answer has come. */
export async function ask<Data, Variables>(
  endpoint: Endpoint,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken: string | null,
  dropAfterMs = timeoutMs,
): Promise<Outcome<Data>> {
  try {
    const response = await fetch(`http://127.0.0.1:${endpoint.port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}) },
      body: JSON.stringify({ query: print(document), variables }),
      signal: AbortSignal.timeout(dropAfterMs),
    })
    const { data, errors } = (await response.json()) as {
      data?: Data
      errors?: { message: string; extensions: { code: string } }[]
    }
    const [error] = errors ?? []
    if (error) return { status: 'refused', code: error.extensions.code, message: error.message }
    return data ? { status: 'answered', data } : { status: 'lost' }
  } catch {
    return { status: 'lost' }
  }
}
