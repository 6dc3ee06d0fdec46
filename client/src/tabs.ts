// One connection for all tabs of a session. The tab that holds a lock leads: it has the socket, and runs the operations of the others,
// which it asks where to begin whenever there is a new socket. So for a tab, another leader is nothing but another socket. When the leader
// is gone, the browser gives its lock to the next tab; if it is frozen, a tab that misses its answer steals the lock.

import { ClientConnection, type ConnectionHost, type ConnectionState, type Operation, type Running } from './connection.ts'
import { Pause } from './pause.ts'
import { TabLeader } from './tab-leader.ts'
import {
  receivedFailure,
  receivedState,
  sentFailure,
  type TabChannel,
  type TabLocks,
  type TabReport,
  type TabRequest,
  tabHost,
} from './tab-messages.ts'
import { uuidv7 } from './uuid.ts'

/** What a client needs of its connection. */
export type SharedConnection = Pick<ClientConnection, 'run' | 'state' | 'isWanted' | 'terminate' | 'setIdle' | 'close'>

/** How long the leader may take to answer, in milliseconds, before another tab takes over. */
const answerMs = 5_000
/** How long a tab waits before it asks again for a lock that it has lost. */
const againMs = 100

/** Opens the connection of a client. @param tabs what the tabs that share it call it; null for a connection of its own */
export function openConnection(host: ConnectionHost, tabs: string | null): SharedConnection {
  const browser = tabs === null ? null : tabHost(tabs)
  return browser && tabs !== null ? new TabConnection(host, tabs, browser) : new ClientConnection(host)
}

type OwnOperation = { readonly operation: Operation; running: Running | null }

/** The part of one tab in the connection that all tabs share. */
class TabConnection implements SharedConnection {
  readonly #host: ConnectionHost
  readonly #name: string
  readonly #channel: TabChannel
  readonly #locks: TabLocks
  readonly #tab = uuidv7()
  readonly #own = new Map<string, OwnOperation>()
  readonly #closing = new AbortController()
  readonly #pause = new Pause()
  /** What this tab has to say before it holds the lock by which others see that it lives. */
  #unsaid: TabRequest[] | null = []
  #leader: TabLeader | null = null
  #state: ConnectionState = { status: 'CONNECTING' }
  #isIdle = false
  #waiting = new AbortController()
  #isStealing = false
  #missed: ReturnType<typeof setTimeout> | undefined
  #end: () => void = () => undefined
  readonly #ended: Promise<void>
  readonly #contending: Promise<void>

  constructor(host: ConnectionHost, name: string, { channel, locks }: { channel: TabChannel; locks: TabLocks }) {
    this.#host = host
    this.#name = name
    this.#channel = channel
    this.#locks = locks
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
    channel.onmessage = ({ data }) => this.#take(data)
    this.#contending = this.#contend()
    this.#expect({ kind: 'hello', tab: this.#tab })
  }

  get state(): ConnectionState {
    return this.#leader?.connection.state ?? this.#state
  }

  get isWanted(): boolean {
    return this.#own.size > 0
  }

  run(operation: Operation): Running {
    const id = uuidv7()
    const own: OwnOperation = { operation, running: null }
    const about = { tab: this.#tab, operation: id }
    this.#own.set(id, own)
    this.#start(id, own)
    this.#host.changed()
    const ask = (request: TabRequest, here: (running: Running) => void) => {
      if (own.running) here(own.running)
      else if (this.#own.has(id)) this.#post(request)
    }
    return {
      stop: () => {
        ask({ kind: 'stop', ...about }, (running) => running.stop())
        if (this.#own.delete(id)) this.#host.changed()
      },
      again: (failure) => ask({ kind: 'again', ...about, failure: sentFailure(failure) }, (running) => running.again(failure)),
      progress: () => ask({ kind: 'progress', ...about }, (running) => running.progress()),
      start: () => own.running?.start(),
    }
  }

  terminate(reason: string): void {
    if (this.#leader) this.#leader.connection.terminate(reason)
    else this.#expect({ kind: 'silent', tab: this.#tab, reason })
  }

  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle
    if (this.#leader) this.#leader.setIdle(isIdle)
    else this.#post({ kind: 'idle', tab: this.#tab, isIdle })
  }

  async close(): Promise<void> {
    clearTimeout(this.#missed)
    this.#own.clear()
    this.#closing.abort()
    this.#waiting.abort()
    this.#pause.end()
    this.#end()
    await this.#contending
    this.#channel.close()
  }

  /** Leads whenever this tab gets the lock, until it is closed. */
  async #contend(): Promise<void> {
    const { signal } = this.#closing
    const living = new Promise<void>((resolve) => {
      const live = () => {
        resolve()
        return this.#ended
      }
      this.#locks.request(this.#lifeOf(this.#tab), { signal }, live).catch(() => resolve())
    })
    await living
    const unsaid = this.#unsaid ?? []
    this.#unsaid = null
    if (!signal.aborted) for (const request of unsaid) this.#post(request)
    while (!signal.aborted) {
      this.#waiting = new AbortController()
      const options = this.#isStealing ? ({ steal: true } as const) : { signal: this.#waiting.signal }
      this.#isStealing = false
      await this.#locks.request(this.#name, options, () => this.#lead()).catch(() => undefined)
      await this.#unlead()
      if (!this.#isStealing && !signal.aborted) await this.#pause.wait(againMs)
    }
  }

  readonly #lifeOf = (tab: string) => `${this.#name} ${tab}`

  async #lead(): Promise<void> {
    clearTimeout(this.#missed)
    const post = (report: TabReport) => {
      if (!this.#closing.signal.aborted) this.#channel.postMessage(report)
    }
    this.#leader = new TabLeader({ connection: this.#host, locks: this.#locks, lifeOf: this.#lifeOf, post }, this.#isIdle)
    this.#restart()
    await this.#ended
  }

  /** Another tab leads, or this one is closed. */
  async #unlead(): Promise<void> {
    const leader = this.#leader
    if (!leader) return
    this.#leader = null
    this.#state = { status: 'CONNECTING' }
    for (const own of this.#own.values()) own.running = null
    await leader.close()
    this.#restart()
  }

  /** Starts all operations again, as after the loss of a socket. */
  #restart(): void {
    for (const [id, own] of this.#own) {
      own.operation.lost?.()
      this.#start(id, own)
    }
    if (!this.#leader) {
      this.#post({ kind: 'idle', tab: this.#tab, isIdle: this.#isIdle })
      this.#expect({ kind: 'hello', tab: this.#tab })
    }
    this.#host.changed()
  }

  #start(id: string, own: OwnOperation): void {
    const { operation } = own
    if (!this.#leader) {
      this.#post({ kind: 'open', tab: this.#tab, operation: id })
      return
    }
    own.running = this.#leader.connection.run({
      ask: () => operation.ask(),
      next: (result) => operation.next(result),
      refused: (failure) => this.#over(id, () => operation.refused(failure)),
      completed: () => this.#over(id, () => operation.completed()),
      lost: () => operation.lost?.(),
    })
  }

  #over(id: string, tell: () => void): void {
    this.#own.delete(id)
    this.#host.changed()
    tell()
  }

  #post(request: TabRequest): void {
    if (this.#unsaid) this.#unsaid.push(request)
    else if (!this.#closing.signal.aborted) this.#channel.postMessage(request)
  }

  /** Asks the leader for something that it answers at once. If it does not, it is frozen: this tab takes over. */
  #expect(request: TabRequest): void {
    this.#post(request)
    if (this.#closing.signal.aborted) return
    clearTimeout(this.#missed)
    this.#missed = setTimeout(() => {
      if (this.#leader || this.#closing.signal.aborted) return
      this.#isStealing = true
      this.#waiting.abort()
    }, answerMs)
  }

  #take(message: TabRequest | TabReport): void {
    if (isRequest(message)) {
      this.#leader?.take(message)
      return
    }
    clearTimeout(this.#missed)
    if (message.kind === 'leads') {
      if (this.#leader) void this.#unlead()
      else this.#restart()
    }
    if (this.#leader) return
    if (message.kind === 'state') {
      this.#state = receivedState(message.state)
      this.#host.changed()
    } else if (message.kind === 'ended') {
      this.#host.ended(message.code).catch(() => undefined)
    } else if (message.kind !== 'leads') {
      const own = message.tab === this.#tab ? this.#own.get(message.operation) : undefined
      if (own) this.#deliver(message, own)
    }
  }

  /** Gives an operation what the leader's socket has brought for it. */
  #deliver(report: Extract<TabReport, { readonly operation: string }>, { operation }: OwnOperation): void {
    const { tab, operation: id } = report
    switch (report.kind) {
      case 'ask': {
        const asked = operation.ask()
        if (asked) this.#post({ kind: 'asked', tab, operation: id, turn: report.turn, ...asked })
        break
      }
      case 'next':
        operation.next(report.result)
        break
      case 'lost':
        operation.lost?.()
        break
      case 'refused':
        this.#over(id, () => operation.refused(receivedFailure(report.failure)))
        break
      case 'completed':
        this.#over(id, () => operation.completed())
        break
    }
  }
}

const requests: ReadonlySet<string> = new Set<TabRequest['kind']>([
  ...(['hello', 'silent', 'idle', 'open', 'stop', 'progress', 'again', 'asked'] as const),
])
const isRequest = (message: TabRequest | TabReport): message is TabRequest => requests.has(message.kind)
