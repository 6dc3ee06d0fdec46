// Which node to ask, and which to open the socket at: the gateway says it. Where nothing says it, the address that the app was
// given, which in small installations is all there is.

import type { Result } from './failure.ts'
import { gateway } from './operations.ts'

/** A node without an address of its own is where it was asked. */
type Address = { readonly url: string | null }
type GatewayAnswer = { readonly gateway: { readonly node: Address; readonly fallbacks: readonly Address[] } }

/** Asks Parley over HTTP. */
export type Execute = (query: string, variables: { readonly [name: string]: unknown }) => Promise<Result>

const knownMax = 16
/** How many nodes are asked for the gateway, one after another. */
const asksMax = 3
/** A node at which no socket could be opened is passed over for so long: a firewall may keep just us from it. */
const failedMs = 60_000
const toSocket = (url: string) => url.replace(/^http/, 'ws')
const toHttp = (url: string) => url.replace(/^ws/, 'http')

/** The nodes that a client knows of. */
export class Nodes {
  readonly #base: string
  readonly #region: string | null
  /** Where a socket can be opened, the best first; the base comes last. */
  #known: readonly string[]
  /** Where none could be opened lately, and when that was, in milliseconds since 1970. */
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

  /** Where to ask over HTTP now. */
  get http(): string {
    return this.#http
  }

  /** Nothing answered there: the next request goes elsewhere, if there is another place. */
  unanswered(url: string): void {
    if (url !== this.#http) return
    const all = [...new Set([this.#base, ...this.#known.map(toHttp)])]
    this.#http = all[(all.indexOf(url) + 1) % all.length] ?? this.#base
  }

  /** Asks the gateway, and chooses where to open the next socket. */
  async choose(execute: Execute): Promise<string> {
    // Where one does not answer, the next is asked: what was told before is the order of another moment, and many heard the same.
    for (let asked = 0; asked < asksMax && !this.#isRefused; asked += 1) {
      const answer = await execute(gateway, { region: this.#region }).catch(() => null)
      this.#learn(answer)
      if (answer) break
    }
    for (const [url, at] of this.#failed) if (Date.now() - at > failedMs) this.#failed.delete(url)
    if (this.#known.every((url) => this.#failed.has(url))) this.#failed.clear()
    return this.#known.find((url) => !this.#failed.has(url)) ?? toSocket(this.#base)
  }

  /** A socket was opened there. */
  opened(url: string): void {
    this.#failed.delete(url)
  }

  /** No socket could be opened there, or the node is going away: others first. */
  failed(url: string): void {
    this.#failed.set(url, Date.now())
  }

  #learn(answer: Result | null): void {
    const { gateway: told } = (answer?.data as GatewayAnswer | null | undefined) ?? {}
    if (told) {
      const urls = [told.node, ...told.fallbacks].map(({ url }) => url ?? toSocket(this.#base)).slice(0, knownMax)
      this.#known = [...new Set([...urls, toSocket(this.#base)])]
    }
    // A server that has no gateway says so once.
    else if (answer?.errors?.[0]?.extensions?.code === 'OPERATION_REFUSED') this.#isRefused = true
  }
}
