// Presence as a device sees it, and the devices that are seen.

import { print } from 'graphql'
import { type Client, createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { untilBy } from '../support/clock.ts'
import type { ClientError, Device } from '../support/device.ts'
import type { PresenceSubscription } from '../support/generated/graphql.ts'
import { closeAtEnd } from '../support/node.ts'
import { Heartbeat, Presence } from './documents.ts'

/** What was shown, and when by the clock of the node. */
type ShownPresence = PresenceSubscription['presence'] & { readonly at: number }

/** Follows the presence of people over a socket of its own. */
export function watchPresence(device: Device, ...people: readonly { readonly userId: string }[]) {
  const shown: ShownPresence[] = []
  const errors: ClientError[] = []
  const { clock } = device.node.app
  const client = device.socket()
  client.subscribe<PresenceSubscription>(
    { query: print(Presence), variables: { userIds: people.map(({ userId }) => userId) } },
    {
      next({ data, errors: refused }) {
        errors.push(...((refused ?? []) as unknown as ClientError[]))
        if (data) shown.push({ ...data.presence, at: clock.now() })
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
    shows: (person: { readonly userId: string }, state: ShownPresence['state'], limitMs = 8_000) =>
      untilBy(clock, `${state} of ${person.userId}`, () => states(person).at(-1) === state, limitMs).catch((error: unknown) => {
        throw new Error(`${(error as Error).message}; shown were ${JSON.stringify({ shown, errors })}`)
      }),
  }
}

/** A socket of a device that does nothing. */
export type Connected = {
  /** Reports whether the user is active. */
  beat(idle?: boolean): Promise<void>
  /** Closes the socket like a browser that closes a tab. */
  close(): void
  /** Drops the socket without a close frame. */
  cut(): void
}

/** Connects a device, to its node or to another address. */
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
