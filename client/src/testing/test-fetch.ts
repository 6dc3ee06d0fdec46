// GraphQL over HTTP: a `fetch` whose other end is the test server, over its network.

import type { GraphQLError } from 'graphql'
import type { TestRequest } from './engine.ts'
import { refuse } from './refusal.ts'
import type { TestContext } from './test-context.ts'
import type { TestNetwork } from './test-network.ts'
import type { TransportHost } from './transport-ws.ts'

type HttpRequest = { readonly method: string; readonly headers: Headers; readonly body: string }

/** Makes a `fetch`. It sends every request to the test server, whatever its address. */
export function testFetch(network: TestNetwork, host: TransportHost): typeof globalThis.fetch {
  return async (target, init) => {
    // Without the class Request: that of Node refuses the signals of jsdom.
    const given = typeof target === 'object' && 'headers' in target ? target : null
    const body = init?.body == null ? ((await given?.text()) ?? '') : String(init.body)
    const headers = new Headers(init?.headers ?? given?.headers)
    const request = { method: init?.method ?? given?.method ?? 'GET', headers, body }
    const carried = network.carry(body, () => answer(request, host))
    const response = await unlessAborted(carried, init?.signal ?? given?.signal)
    return new Response(response.body, { status: response.status, headers: { 'content-type': 'application/json' } })
  }
}

type Answer = { readonly status: number; readonly body: string }

function answer(request: HttpRequest, host: TransportHost): Answer {
  if (request.method !== 'POST') return refusal(405, 'The test server takes POST only.')
  if (!request.headers.get('content-type')?.startsWith('application/json')) return refusal(415, 'Send application/json.')
  if (!/json|\*\/\*/.test(request.headers.get('accept') ?? '*/*')) return refusal(406, 'The test server answers with JSON only.')
  const operation = requestOf(request.body)
  if (!operation) return refusal(400, 'Send one operation as JSON, with `query`.')
  const prepared = host.engine.prepare(operation)
  if (prepared.kind === 'subscription') return refusal(405, 'Subscribe over a WebSocket.')
  return { status: 200, body: JSON.stringify(host.engine.execute(prepared, contextOf(request, host))) }
}

function refusal(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ errors: [refuse('OPERATION_REFUSED', message)] }) }
}

function requestOf(body: string): TestRequest | null {
  try {
    const given = JSON.parse(body) as Partial<TestRequest> | null
    return typeof given?.query === 'string' ? { ...given, query: given.query } : null
  } catch {
    return null
  }
}

function contextOf({ headers }: HttpRequest, { world, tokens }: TransportHost): TestContext {
  const token = /^Bearer (.+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  try {
    return { world, session: token === undefined ? null : tokens.sessionOf(token), refused: null, connection: null }
  } catch (error) {
    return { world, session: null, refused: error as GraphQLError, connection: null }
  }
}

function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal | null | undefined): Promise<Value> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
