// Chooses the nodes for requests and for the socket. The gateway names them; without its answer, the client uses the address
// from the app, which in small installations is the only one.

import type { Result } from './failure.ts'
import { gateway } from './operations.ts'

/** The address of a node. Null means that it has none of its own: the address from the app reaches it. */
type GatewayNode = { readonly url: string | null }
type GatewayAnswer = { readonly gateway: { readonly node: GatewayNode; readonly fallbacks: readonly GatewayNode[] } }

/** Runs an operation over HTTP. */
export type Execute = (query: string, variables: { readonly [name: string]: unknown }) => Promise<Result>

const knownMax = 16
/** How many nodes may be attempt for the gateway, one after another. */
const asksMax = 3
/** How long to avoid a node after a socket failed to open there: perhaps only this client cannot reach it. */
const failedMs = 60_000
const toSocket = (url: string) => url.replace(/^http/, 'ws')
const toHttp = (url: string) => url.replace(/^ws/, 'http')

/** The nodes that a client knows. */
export class Nodes {
  readonly #base: string
  readonly #region: string | null
  /** The URLs for sockets, the best first; that of the base comes last. */
  #known: readonly string[]
  /** The URLs at which a socket recently failed to open, and when, in milliseconds since 1970. */
  readonly #failed = new Map<string, number>()
  #http: string
  #isRefused = false

  /** @param base the address of the GraphQL endpoint over HTTP */
  constructor(base: string, region: string | null) {
    this.#base = base
    this.#region = region
    this.#known = [toSocket(base)]
    this.#http = base
  }

  /** The URL for requests over HTTP. */
  get http(): string {
    return this.#http
  }

  /** Reports that a URL did not answer: the next request goes to another one, if there is one. */
  unanswered(url: string): void {
    if (url !== this.#http) return
    const all = [...new Set([this.#base, ...this.#known.map(toHttp)])]
    this.#http = all[(all.indexOf(url) + 1) % all.length] ?? this.#base
  }

  /** Asks the gateway, and chooses the URL for the next socket. */
  async choose(execute: Execute): Promise<string> {
    // If one node does not answer, ask the next: the last answer is out of date, and many clients have the same one.
    for (let attempt = 0; attempt < asksMax && !this.#isRefused; attempt += 1) {
      const answer = await execute(gateway, { region: this.#region }).catch(() => null)
      this.#learn(answer)
      if (answer) break
    }
    for (const [url, at] of this.#failed) if (Date.now() - at > failedMs) this.#failed.delete(url)
    if (this.#known.every((url) => this.#failed.has(url))) this.#failed.clear()
    return this.#known.find((url) => !this.#failed.has(url)) ?? toSocket(this.#base)
  }

  /** Reports that a socket opened at a URL. */
  opened(url: string): void {
    this.#failed.delete(url)
  }

  /** Reports that no socket could be opened at a URL, or that its node is going away: other nodes come first. */
  failed(url: string): void {
    this.#failed.set(url, Date.now())
  }

  #learn(answer: Result | null): void {
    const { gateway: named } = (answer?.data as GatewayAnswer | null | undefined) ?? {}
    if (named) {
      const urls = [named.node, ...named.fallbacks].map(({ url }) => url ?? toSocket(this.#base)).slice(0, knownMax)
      this.#known = [...new Set([...urls, toSocket(this.#base)])]
    }
    // The server has no gateway: do not ask again.
    else if (answer?.errors?.[0]?.extensions?.code === 'OPERATION_REFUSED') this.#isRefused = true
  }
}
