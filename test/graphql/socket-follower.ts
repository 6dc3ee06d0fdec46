// What the tests of shared execution observe: the bytes that subscriptions receive, and how often events were executed.

import { subscribe as hear, unsubscribe } from 'node:diagnostics_channel'
import { expect } from 'vitest'
import WebSocket from 'ws'
import { steps } from '../../src/journal/steps.ts'
import type { Device } from '../support/device.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'

/** Counts the executions of events during `act`. */
export async function executions(act: () => Promise<void>): Promise<{ shared: number; perViewer: number }> {
  const count = { shared: 0, perViewer: 0 }
  const listen = (message: unknown) => {
    count[(message as { isShared: boolean }).isShared ? 'shared' : 'perViewer'] += 1
  }
  hear(steps.eventExecuted.name, listen)
  await act()
  unsubscribe(steps.eventExecuted.name, listen)
  return count
}

/** The subscriptions of one socket: the bytes that each received for each event, by cursor. */
export class SocketFollower {
  readonly #socket: WebSocket
  readonly #payloads = new Map<string, Map<string, string>>()
  readonly #begun = new Set<string>()
  readonly refusals: unknown[] = []

  constructor(device: Device) {
    this.#socket = new WebSocket(device.node.socketUrl, 'graphql-transport-ws')
    closeAtEnd(async () => this.#socket.terminate())
    this.#socket.on('open', () => this.#say({ type: 'connection_init', payload: { accessToken: device.accessToken } }))
    this.#socket.on('message', (data) => {
      const text = String(data)
      const { id, type, payload } = JSON.parse(text)
      if (type === 'connection_ack') this.#payloads.set('', new Map())
      if (type === 'error' || payload?.errors) this.refusals.push(text)
      if (type !== 'next' || payload.errors) return
      const event = payload.data.events ?? payload.data.told
      this.#begun.add(id)
      if (/^(SyncStarted|CaughtUp|Tick)$/.test(event.__typename)) return // each stream has its own
      this.#payloads.get(id)?.set(event.cursor, text.replace(`"id":${JSON.stringify(id)}`, ''))
    })
  }

  #say(message: unknown): void {
    this.#socket.send(JSON.stringify(message))
  }

  /** Subscribes, and waits for the first event. */
  async follow(id: string, query: string, variables: Record<string, unknown> = {}): Promise<void> {
    await until('the acknowledgement', () => this.#payloads.has(''))
    this.#payloads.set(id, new Map())
    this.#say({ id, type: 'subscribe', payload: { query, variables, operationName: 'S' } })
    await until('the first event', () => this.#begun.has(id) || this.refusals.length > 0)
    expect(this.refusals).toEqual([])
  }

  of(id: string): ReadonlyMap<string, string> {
    return this.#payloads.get(id) ?? new Map()
  }

  /** Waits until each subscription has received the event with this cursor. */
  async reaches(cursor: string): Promise<void> {
    const all = [...this.#payloads].filter(([id]) => id !== '')
    await until('the event', () => this.refusals.length > 0 || all.every(([, payloads]) => payloads.has(cursor)))
    expect(this.refusals).toEqual([])
  }
}
