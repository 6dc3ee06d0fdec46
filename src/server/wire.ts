// A socket of `ws` in the words of graphql-ws, and how it is ended: at once, or when what is under way on it is answered.

import { setTimeout as delay } from 'node:timers/promises'
import { CloseCode, type WebSocket as ProtocolSocket } from 'graphql-ws'
import type { WebSocket } from 'ws'
import type { App } from '../app.ts'
import type { Sink } from '../graphql/answers.ts'
import type { Visit } from '../signal/visits.ts'
import type { Call } from './callers.ts'
import type { Connection } from './connections.ts'

/** How long a socket that was closed may take to answer, before it is cut. */
const handshakeMs = 1_000
/** How long what is under way on a socket may take to be answered when the node says goodbye. */
const farewellMs = 2_000
/** Bytes written to a socket and not yet taken by its client, beyond which nothing more is read from it. */
const unreadMax = 1_048_576
/** Bytes of events written to a socket and not yet taken, beyond which its stream waits. */
const unsentMax = 32_768
const asText = { binary: false }
const closingBrace = 0x7d

/** What a node knows of a socket. */
export type Extra = {
  readonly socket: WebSocket
  call: Call
  connection: Connection | null
  /** What is said of the device behind it; null while it is nobody's. */
  visit: Visit | null
  /** Operations that have been asked for and do not run yet: an id of these used again would leak the first. */
  readonly starting: Set<string>
  /** The node says goodbye: nothing new is heard from the socket. */
  isLeaving: boolean
  /** Reads the socket again, where that was stopped because too much was written to it. */
  listenAgain(): void
}

/**
 * Closes a socket. What it still sends is not heard, and where it does not answer the closing handshake it is cut.
 */
export function endSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return
  socket.close(code, reason)
  setTimeout(() => socket.terminate(), handshakeMs).unref()
}

/**
 * A socket of `ws` in the words of the protocol. Nothing more is read from a client that does not read what it asked for, or
 * that has too much under way. A message that fails unforeseen closes the socket, and is heard of.
 */
export function adapt(socket: WebSocket, extra: Extra, app: App): ProtocolSocket {
  const underWayMax = app.config.socket.subscriptionsMax + 64
  let underWay = 0
  const isBusy = () => socket.bufferedAmount > unreadMax || underWay > underWayMax
  const listenAgain = () => {
    if (socket.isPaused && !isBusy()) socket.resume()
  }
  extra.listenAgain = listenAgain
  return {
    protocol: socket.protocol,
    send: (text) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== socket.OPEN) return resolve()
        socket.send(text, (error) => {
          listenAgain()
          return error ? reject(error) : resolve()
        })
      }),
    close: (code = 1000, reason = '') => endSocket(socket, code, reason),
    onMessage: (take) => {
      socket.on('message', (frame) => {
        if (socket.readyState !== socket.OPEN || extra.isLeaving) return
        underWay += 1
        if (isBusy()) socket.pause()
        take(String(frame))
          .catch((error: unknown) => {
            if (socket.readyState !== socket.OPEN) return
            app.log.error({ err: error }, 'a message on a WebSocket failed')
            endSocket(socket, CloseCode.InternalServerError, 'Internal server error')
          })
          .finally(() => {
            underWay -= 1
            listenAgain()
          })
      })
    },
  }
}

/**
 * The answers of one operation as frames of graphql-transport-ws (`next`), written as they are: what stands around the answer
 * is made once. A client that does not read has one frame too many in memory, and is given the next when that is out.
 */
export function frames(extra: Extra, id: string): Sink {
  const { socket } = extra
  const before = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`)
  return {
    take(answer, more) {
      if (socket.readyState !== socket.OPEN) return false
      const frame = Buffer.allocUnsafe(before.length + answer.length + 1)
      before.copy(frame)
      answer.copy(frame, before.length)
      frame[frame.length - 1] = closingBrace
      if (socket.bufferedAmount < unsentMax) {
        socket.send(frame, asText)
        return true
      }
      socket.send(frame, asText, () => {
        extra.listenAgain()
        more()
      })
      return false
    },
  }
}

/**
 * Says goodbye to a socket with 1012, so that its client connects elsewhere and resumes. Queries and mutations that are under
 * way are answered first.
 */
export async function farewell(extra: Extra): Promise<void> {
  extra.isLeaving = true
  for (const deadline = Date.now() + farewellMs; extra.starting.size > 0 && Date.now() < deadline; ) await delay(10)
  await new Promise(setImmediate) // an answer that is ready goes first
  endSocket(extra.socket, 1012, 'The server is going down: connect again and resume')
}
