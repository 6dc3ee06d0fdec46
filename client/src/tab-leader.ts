// The tab that leads: it has the connection, and runs the operations of all other tabs over it.

import { ClientConnection, type ConnectionHost, type Operation, type Running } from './connection.ts'
import type { Variables } from './document.ts'
import { receivedFailure, sentFailure, sentState, type TabLocks, type TabReport, type TabRequest } from './tab-messages.ts'

/** An operation of another tab. */
type RemoteOperation = {
  running: Running | null
  /** What to run, once the tab has said so. */
  asked: { readonly query: string; readonly variables: Variables } | null
  /** Counts the questions to the tab: an answer to an older one is for a socket that is gone. */
  turn: number
}

/** What a leader needs of its tab. */
export type TabLeaderHost = {
  readonly connection: ConnectionHost
  readonly locks: TabLocks
  /** The name of the lock that a tab holds while it lives. */
  lifeOf(tab: string): string
  post(report: TabReport): void
}

/** The connection of the tab that leads. */
export class TabLeader {
  readonly connection: ClientConnection
  readonly #host: TabLeaderHost
  readonly #tabs = new Map<string, Map<string, RemoteOperation>>()
  readonly #idle = new Map<string, boolean>()
  readonly #closing = new AbortController()
  #isIdle: boolean

  constructor(host: TabLeaderHost, isIdle: boolean) {
    this.#host = host
    this.#isIdle = isIdle
    this.connection = new ClientConnection({
      ...host.connection,
      changed: () => {
        this.#report()
        host.connection.changed()
      },
      ended: async (code) => {
        host.post({ kind: 'ended', code })
        await host.connection.ended(code)
      },
    })
    this.connection.setIdle(isIdle)
    host.post({ kind: 'leads' })
  }

  /** Takes what another tab asks for. */
  take(request: TabRequest): void {
    const operations = this.#operationsOf(request.tab)
    const known = 'operation' in request ? operations.get(request.operation) : undefined
    switch (request.kind) {
      case 'hello':
        this.#report()
        break
      case 'silent':
        this.connection.terminate(request.reason)
        this.#report()
        break
      case 'idle':
        this.#idle.set(request.tab, request.isIdle)
        this.setIdle(this.#isIdle)
        break
      case 'open':
        known?.running?.stop()
        this.#open(request.tab, request.operation, operations)
        break
      case 'asked':
        if (known?.turn !== request.turn) break
        known.asked = request
        known.running?.start()
        break
      case 'again':
        known?.running?.again(receivedFailure(request.failure))
        break
      case 'progress':
        known?.running?.progress()
        break
      case 'stop':
        known?.running?.stop()
        operations.delete(request.operation)
        break
    }
  }

  /** Reports whether the user is idle in the own tab. On this device they are if they are in all tabs. */
  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle
    this.connection.setIdle(isIdle && [...this.#idle.values()].every(Boolean))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.connection.close()
  }

  #report(): void {
    this.#host.post({ kind: 'state', state: sentState(this.connection.state) })
  }

  /** The operations of a tab. From the first one on, the leader watches whether the tab lives. */
  #operationsOf(tab: string): Map<string, RemoteOperation> {
    const known = this.#tabs.get(tab)
    if (known) return known
    const operations = new Map<string, RemoteOperation>()
    this.#tabs.set(tab, operations)
    const { locks, lifeOf } = this.#host
    const gone = async () => {
      for (const { running } of operations.values()) running?.stop()
      this.#tabs.delete(tab)
      if (this.#idle.delete(tab)) this.setIdle(this.#isIdle)
    }
    locks.request(lifeOf(tab), { signal: this.#closing.signal }, gone).catch(() => undefined)
    return operations
  }

  #open(tab: string, operation: string, operations: Map<string, RemoteOperation>): void {
    const remote: RemoteOperation = { running: null, asked: null, turn: 0 }
    const about = { tab, operation }
    const { post } = this.#host
    const asking: Operation = {
      ask: () => {
        const { asked } = remote
        remote.asked = null
        // The tab knows how far it has come.
        if (!asked) post({ kind: 'ask', ...about, turn: ++remote.turn })
        return asked
      },
      next: (result) => post({ kind: 'next', ...about, result }),
      refused: (failure) => {
        operations.delete(operation)
        post({ kind: 'refused', ...about, failure: sentFailure(failure) })
      },
      completed: () => {
        operations.delete(operation)
        post({ kind: 'completed', ...about })
      },
      lost: () => {
        remote.asked = null
        post({ kind: 'lost', ...about })
      },
    }
    operations.set(operation, remote)
    remote.running = this.connection.run(asking)
  }
}
