// Presence as a device sees it, and the devices that are seen.

import { print } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import WebSocket from 'ws'
import type { ClientError, Device } from '../support/device.ts'
import type { PresenceSubscription } from '../support/generated/graphql.ts'
import { closeAtEnd } from '../support/node.ts'
import { until } from '../support/until.ts'
import { Heartbeat, Presence } from './documents.ts'

type Shown = PresenceSubscription['presence'] & { readonly at: number }

/** Follows the presence of people, over a socket of its own. */
export function watchPresence(device: Device, ...people: readonly { readonly userId: string }[]) {
  const shown: Shown[] = []
  const errors: ClientError[] = []
  const client = device.socket()
  client.subscribe<PresenceSubscription>(
    { query: print(Presence), variables: { userIds: people.map(({ userId }) => userId) } },
    {
      next({ data, errors: refused }) {
        errors.push(...((refused ?? []) as unknown as ClientError[]))
        if (data) shown.push({ ...data.presence, at: Date.now() })
      },
      error: (error) => errors.push(...(error as ClientError[])),
      complete: () => undefined,
    },
  )
  const of = ({ userId }: { readonly userId: string }) => shown.filter(({ user }) => user.id === userId)
  const states = (person: { readonly userId: string }) => of(person).map(({ state }) => state)
  return {
    shown,
    errors,
    of,
    states,
    stop: () => client.dispose(),
    shows: (person: { readonly userId: string }, state: Shown['state'], limitMs = 8_000) =>
      until(`${state}; shown were ${JSON.stringify({ shown, errors })}`, () => states(person).at(-1) === state, limitMs),
  }
}

/** A socket of a device that does nothing but be there. */
export type Connected = {
  /** Says that somebody is at the device, or nobody. */
  beat(idle?: boolean): Promise<void>
  /** Ends the socket as a browser does that closes a tab. */
  close(): void
  /** Ends it without a word. */
  cut(): void
}

/** Connects a device, over another address than its node's where one is given. */
export async function connectDevice(device: Device, url = device.node.socketUrl, idle = false): Promise<Connected> {
  const opened = await new Promise<{ client: Client; socket: WebSocket }>((resolve, reject) => {
    const client = createClient({
      url,
      webSocketImpl: WebSocket,
      lazy: false,
      retryAttempts: 0,
      connectionParams: { accessToken: device.accessToken, idle },
      on: { connected: (socket) => resolve({ client, socket: socket as WebSocket }) },
      onNonLazyError: reject,
    })
    closeAtEnd(async () => client.dispose())
  })
  const { client, socket } = opened
  return {
    async beat(isIdle = false) {
      for await (const { errors } of client.iterate({ query: print(Heartbeat), variables: { input: { idle: isIdle } } })) {
        if (errors) throw errors[0]
      }
    },
    close: () => void client.dispose(),
    cut: () => socket.terminate(),
  }
}
