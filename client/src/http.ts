// Requests over HTTP, with the access token of the session. A request whose token has expired runs once more with a fresh
// one; each request has a time limit.

import { failureOf, noAnswer, ParleyFailure, type Result } from './failure.ts'
import type { Nodes } from './nodes.ts'
import type { Session } from './session.ts'

type Fetch = typeof globalThis.fetch
type FetchOptions = Parameters<Fetch>[1]

/** How many bytes of a file arrive in a millisecond over the slowest line that is waited for, in addition to an operation's limit. */
const slowestBytesPerMs = 8

const jsonType = /^application\/(json|graphql-response\+json)\b/

/** Sends requests to Parley over HTTP. */
export class Http {
  readonly #fetch: Fetch
  readonly #nodes: Nodes
  readonly #limitMs: number
  readonly #underWay = new Set<AbortController>()
  #isClosed = false

  constructor(fetch: Fetch, nodes: Nodes, limitMs: number) {
    this.#fetch = fetch
    this.#nodes = nodes
    this.#limitMs = limitMs
  }

  /** Aborts the requests under way, and refuses new ones. */
  close(): void {
    this.#isClosed = true
    for (const controller of this.#underWay) controller.abort()
  }

  /**
   * Runs one operation.
   * @param session the session whose token to send; null sends none
   * @throws ParleyFailure `NO_ANSWER`, or why there is no token
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
    this.#underWay.add(limit)
    try {
      const response = await this.fetch({ method: 'POST', headers, body, signal: limit.signal }, session)
      return await resultOf(response)
    } catch (error) {
      throw failureOf(error)
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(limit)
    }
  }

  /**
   * Sends a request without a token to a URL from the server: bytes of a file. Its time limit grows with their number.
   * @param byteSize how many bytes it sends
   * @throws ParleyFailure `NO_ANSWER`
   */
  async send(url: string, init: RequestInit, byteSize: number): Promise<Response> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), this.#limitMs + byteSize / slowestBytesPerMs)
    if (this.#isClosed) limit.abort()
    this.#underWay.add(limit)
    try {
      return await this.#fetch(new URL(url, this.#nodes.http).href, { ...init, signal: limit.signal })
    } catch (error) {
      throw noAnswer('The upload was broken off.', error)
    } finally {
      clearTimeout(timer)
      this.#underWay.delete(limit)
    }
  }

  /**
   * A `fetch` that always goes to Parley, with a valid token.
   * @throws ParleyFailure `NO_ANSWER`, or why there is no token; an abort by the caller's signal throws as `fetch` does
   */
  async fetch(sent: FetchOptions, session: Session | null): Promise<Response> {
    const token = (await session?.token()) ?? null
    const { response, code } = await this.#send(sent, token)
    if (token === null) return response
    if (code === 'TOKEN_EXPIRED') return (await this.#send(sent, (await session?.token(token)) ?? null)).response
    // The session is over, even if the store cannot forget it.
    if (code === 'UNAUTHENTICATED' || code === 'SESSION_REVOKED') await session?.end(code).catch(() => undefined)
    return response
  }

  /** @returns the response, and the code of its first error if it is JSON: then its whole body has arrived */
  async #send(sent: FetchOptions, token: string | null): Promise<{ readonly response: Response; readonly code: string | null }> {
    const url = this.#nodes.http
    const headers = new Headers(sent?.headers)
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    const controller = new AbortController()
    const stop = () => controller.abort()
    if (this.#isClosed || sent?.signal?.aborted) stop()
    sent?.signal?.addEventListener('abort', stop)
    this.#underWay.add(controller)
    try {
      const response = await this.#fetch(url, { ...sent, headers, signal: controller.signal })
      return { response, code: await codeOf(response) }
    } catch (error) {
      // The caller aborted it, so the node is not to blame.
      if (sent?.signal?.aborted) throw error
      if (!this.#isClosed) this.#nodes.unanswered(url)
      throw noAnswer(`${url} did not answer.`, error)
    } finally {
      this.#underWay.delete(controller)
    }
  }
}

async function codeOf(response: Response): Promise<string | null> {
  if (!jsonType.test(response.headers.get('content-type') ?? '')) return null
  const result = await (response.clone().json() as Promise<Result | null>).catch(() => null)
  return result?.errors?.[0]?.extensions?.code ?? null
}

async function resultOf(response: Response): Promise<Result> {
  if (response.status === 413) throw new ParleyFailure('LIMIT_EXCEEDED', 'The request is too large.', false)
  const result = await (response.json() as Promise<Result | null>).catch((error: unknown) => {
    throw noAnswer(`The answer does not come from Parley (HTTP ${response.status}).`, error)
  })
  if (!result?.data && !result?.errors) throw noAnswer(`The answer does not come from Parley (HTTP ${response.status}).`)
  return result
}
