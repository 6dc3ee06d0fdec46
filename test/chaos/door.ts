// The doors of a run as its people see them: any of them may lead to a node that is dead, frozen or cut off.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'

/** Where a node is asked: the port of the proxy before it. */
export type Door = { readonly name: string; readonly port: number }

/** What became of a request. `lost`: no answer came, or none was wanted; it may have been carried out. */
export type Outcome<Data> =
  | { readonly status: 'answered'; readonly data: Data }
  | { readonly status: 'refused'; readonly code: string; readonly message: string }
  | { readonly status: 'lost' }

const patienceMs = 4_000

/** Asks a node over HTTP. With `dropAfterMs` the connection is given up that soon, whatever has come back by then. */
export async function ask<Data, Variables>(
  door: Door,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  accessToken: string | null,
  dropAfterMs = patienceMs,
): Promise<Outcome<Data>> {
  try {
    const response = await fetch(`http://127.0.0.1:${door.port}/graphql`, {
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
