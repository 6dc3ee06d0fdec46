// Requests over HTTP: with the token of the session, once more where that has expired, and never longer than a limit.

import { failureOf, noAnswer, ParleyFailure, type Result } from './failure.ts'
import type { Nodes } from './nodes.ts'
import type { Session } from './session.ts'

type Fetch = typeof globalThis.fetch
type Sent = Parameters<Fetch>[1]

const jsonType = /^application\/(json|graphql-response\+json)\b/

/** Asks Parley over HTTP. */
export class Http {
  readonly #fetch: Fetch
  readonly #nodes: Nodes
  readonly #limitMs: number
  readonly #asking = new Set<AbortController>()
  #isClosed = false

  constructor(fetch: Fetch, nodes: Nodes, limitMs: number) {
    this.#fetch = fetch
    this.#nodes = nodes
    this.#limitMs = limitMs
  }

  /** Gives up what is under way; nothing is asked any more. */
  close(): void {
    this.#isClosed = true
    for (const asking of this.#asking) asking.abort()
  }

  /**
   * Asks one operation.
   * @param session whose token goes along; null asks without one
   * @throws ParleyFailure `NO_ANSWER`, or where there is no token
   */
  async execute(query: string, variables: object, session: Session | null, limitMs = this.#limitMs): Promise<Result> {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const body = JSON.stringify({ query, variables })
    const limit = new AbortController()
    const url = this.#nodes.http
    const timer = setTimeout(() => {
      this.#nodes.unanswered(url)
      limit.abort()
    }, limitMs)
    this.#asking.add(limit)
    try {
      const response = await this.fetch({ method: 'POST', headers, body, signal: limit.signal }, session)
      return await resultOf(response)
    } catch (error) {
      throw failureOf(error)
    } finally {
      clearTimeout(timer)
      this.#asking.delete(limit)
    }
  }

  /**
   * A `fetch` that always goes to Parley, with a good token.
   * @throws ParleyFailure where there was no answer, or there is no token; as `fetch` does where it was given up by its signal
   */
  async fetch(sent: Sent, session: Session | null): Promise<Response> {
    const token = (await session?.token()) ?? null
    const { response, code } = await this.#send(sent, token)
    if (token === null) return response
    if (code === 'TOKEN_EXPIRED') return (await this.#send(sent, (await session?.token(token)) ?? null)).response
    // It is over, also where that could not be kept.
    if (code === 'UNAUTHENTICATED' || code === 'SESSION_REVOKED') await session?.end(code).catch(() => undefined)
    return response
  }

  /** @returns the answer, and the code of its first error, if it is one of JSON: then it is here as a whole */
  async #send(sent: Sent, token: string | null): Promise<{ readonly response: Response; readonly code: string | null }> {
    const url = this.#nodes.http
    const headers = new Headers(sent?.headers)
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    const asking = new AbortController()
    const stop = () => asking.abort()
    if (this.#isClosed || sent?.signal?.aborted) stop()
    sent?.signal?.addEventListener('abort', stop)
    this.#asking.add(asking)
    try {
      const response = await this.#fetch(url, { ...sent, headers, signal: asking.signal })
      return { response, code: await codeOf(response) }
    } catch (error) {
      // Whoever gave it up knows why, and the node is not to blame.
      if (sent?.signal?.aborted) throw error
      if (!this.#isClosed) this.#nodes.unanswered(url)
      throw noAnswer(`There was no answer from ${url}`, error)
    } finally {
      this.#asking.delete(asking)
    }
  }
}

async function codeOf(response: Response): Promise<string | null> {
  if (!jsonType.test(response.headers.get('content-type') ?? '')) return null
  const result = await (response.clone().json() as Promise<Result | null>).catch(() => null)
  return result?.errors?.[0]?.extensions?.code ?? null
}

async function resultOf(response: Response): Promise<Result> {
  if (response.status === 413) throw new ParleyFailure('LIMIT_EXCEEDED', 'The request is too large', false)
  const result = await (response.json() as Promise<Result | null>).catch((error: unknown) => {
    throw noAnswer(`The answer is none of Parley's (HTTP ${response.status})`, error)
  })
  if (!result?.data && !result?.errors) throw noAnswer(`The answer is none of Parley's (HTTP ${response.status})`)
  return result
}
