// Which node to ask, and which to open the socket at: the gateway says it. Where nothing says it, the address that the app was
// given, which in small installations is all there is.

import type { Result } from './failure.ts'
import { gateway } from './operations.ts'

type GatewayAnswer = { readonly gateway: { readonly node: { url: string }; readonly fallbacks: readonly { url: string }[] } }

/** Asks Parley over HTTP. */
export type Execute = (query: string, variables: { readonly [name: string]: unknown }) => Promise<Result>

const knownMax = 16
const toSocket = (url: string) => url.replace(/^http/, 'ws')
const toHttp = (url: string) => url.replace(/^ws/, 'http')

/** The nodes that a client knows of. */
export class Nodes {
  readonly #base: string
  readonly #region: string | null
  /** Where a socket can be opened, the best first; the base comes last. */
  #known: readonly string[]
  /** Where none could be opened since the last one that was. */
  readonly #failed = new Set<string>()
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
    if (!this.#isRefused) this.#learn(await execute(gateway, { region: this.#region }).catch(() => null))
    if (this.#known.every((url) => this.#failed.has(url))) this.#failed.clear()
    return this.#known.find((url) => !this.#failed.has(url)) ?? toSocket(this.#base)
  }

  /** A socket was opened there. */
  opened(): void {
    this.#failed.clear()
  }

  /** No socket could be opened there, or the node is going away: others first. */
  failed(url: string): void {
    this.#failed.add(url)
  }

  #learn(answer: Result | null): void {
    const { gateway: told } = (answer?.data as GatewayAnswer | null | undefined) ?? {}
    if (told) {
      const urls = [told.node, ...told.fallbacks].map(({ url }) => url).slice(0, knownMax)
      this.#known = [...new Set([...urls, toSocket(this.#base)])]
    }
    // A server that has no gateway says so once.
    else if (answer?.errors?.[0]?.extensions?.code === 'OPERATION_REFUSED') this.#isRefused = true
  }
}
