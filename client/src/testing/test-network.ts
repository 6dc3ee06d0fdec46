// The network between an app and the test server: what it loses, delays, doubles and reorders.

import type { TestRandom } from './test-random.ts'

/** How bad the network is. */
export type NetworkConditions = {
  /** How long each message takes, in milliseconds: a number, or bounds to draw from. Requests overtake each other by it. */
  readonly latencyMs: number | readonly [least: number, most: number]
  /** The probability that a request is lost before the server has it. */
  readonly loseRequests: number
  /** The probability that an answer is lost: the request has run. */
  readonly loseAnswers: number
  /** The probability that a request arrives twice. */
  readonly doubleRequests: number
  /** The probability that a WebSocket breaks at a message of the server. The message is lost. */
  readonly dropSockets: number
}

/** What happens to one request. */
export type NetworkFault = 'LOSE_REQUEST' | 'LOSE_ANSWER' | 'DOUBLE'

/** A network that works. */
const perfect: NetworkConditions = { latencyMs: 0, loseRequests: 0, loseAnswers: 0, doubleRequests: 0, dropSockets: 0 }
/** A network to test an app against: everything goes wrong, and often. */
export const worstNetwork: NetworkConditions = {
  latencyMs: [0, 30],
  loseRequests: 0.1,
  loseAnswers: 0.15,
  doubleRequests: 0.15,
  dropSockets: 0.05,
}

/** What a lost connection looks like to `fetch`. */
const failed = () => new TypeError('Failed to fetch')
const delay = (ms: number) => (ms <= 0 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, ms)))

type Planned = { readonly fault: NetworkFault; readonly containing: string }
type Held = { readonly containing: string; readonly released: Promise<void> }

/** The network of a test server. */
export class TestNetwork {
  readonly #random: TestRandom
  readonly #breaks = new Set<(code: number) => void>()
  #conditions = perfect
  #planned: Planned[] = []
  #held: Held[] = []
  #isCut = false

  constructor(random: TestRandom) {
    this.#random = random
  }

  /** Whether nothing gets through. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** Sets how bad the network is. What is not given stays. */
  set(conditions: Partial<NetworkConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions }
  }

  /** Makes it work again: no losses, no delays, nothing planned or held. */
  heal(): void {
    this.#conditions = perfect
    this.#planned = []
    this.#isCut = false
  }

  /** Cuts it: sockets break, requests fail, until `restore`. */
  cut(): void {
    this.#isCut = true
    this.dropSockets()
  }

  restore(): void {
    this.#isCut = false
  }

  /** Breaks all WebSockets. @param code the close code; without one, the connection is lost (1006) */
  dropSockets(code = 1006): void {
    for (const breakIt of [...this.#breaks]) breakIt(code)
  }

  /** Plans a fault for the next request whose body contains a text. */
  next(fault: NetworkFault, containing = ''): void {
    this.#planned.push({ fault, containing })
  }

  /** Holds the answers to requests whose body contains a text, so that later ones overtake them. @returns a function to release them */
  hold(containing = ''): () => void {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const held = { containing, released }
    this.#held.push(held)
    return () => {
      this.#held = this.#held.filter((each) => each !== held)
      release()
    }
  }

  /** Carries a request to the server and its answer back. @throws TypeError as `fetch` does, if one of them is lost */
  async carry<Answer>(body: string, deliver: () => Answer): Promise<Answer> {
    const fault = this.#faultOf(body)
    await this.delay()
    if (this.#isCut || fault === 'LOSE_REQUEST') throw failed()
    const answer = deliver()
    if (fault === 'DOUBLE') deliver()
    await Promise.all(this.#held.filter(({ containing }) => body.includes(containing)).map(({ released }) => released))
    await this.delay()
    if (this.#isCut || fault === 'LOSE_ANSWER') throw failed()
    return answer
  }

  /** Waits as long as a message takes. */
  delay(): Promise<void> {
    const { latencyMs } = this.#conditions
    return delay(typeof latencyMs === 'number' ? latencyMs : this.#random.between(...latencyMs))
  }

  /** Whether a socket breaks at this message. */
  drops(): boolean {
    return this.#isCut || this.#random.chance(this.#conditions.dropSockets)
  }

  /** Breaks a socket when sockets are dropped. @returns a function to forget it */
  onDrop(breakIt: (code: number) => void): () => void {
    this.#breaks.add(breakIt)
    return () => this.#breaks.delete(breakIt)
  }

  #faultOf(body: string): NetworkFault | null {
    const planned = this.#planned.find(({ containing }) => body.includes(containing))
    if (planned) {
      this.#planned = this.#planned.filter((each) => each !== planned)
      return planned.fault
    }
    const { loseRequests, loseAnswers, doubleRequests } = this.#conditions
    // Always three draws, so that one condition does not change what another draws.
    const drawn = [loseRequests, loseAnswers, doubleRequests].map((probability) => this.#random.chance(probability))
    return drawn[0] ? 'LOSE_REQUEST' : drawn[1] ? 'LOSE_ANSWER' : drawn[2] ? 'DOUBLE' : null
  }
}
