// Adapts a socket of `ws` to graphql-ws, and ends it: at once, or after its operations under way have been answered.

import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { CloseCode, type WebSocket as ProtocolSocket } from 'graphql-ws'
import type { WebSocket } from 'ws'
import type { PayloadSink } from '../graphql/payload-stream.ts'
import type { App } from '../parts.ts'
import type { ConnectedDevice } from '../presence/device-service.ts'
import type { AddressSlot } from './addresses.ts'
import type { Call } from './callers.ts'
import type { Connection } from './connections.ts'
import { serverSteps } from './steps.ts'

/** How long a client may take to answer a close frame before its socket is terminated. */
const handshakeMs = 1_000
/** How long a farewell waits for the operations under way on a socket. */
const farewellMs = 2_000
/** With more unsent bytes than this, the node stops reading from a socket. */
const unreadMax = 1_048_576
/** With more unsent bytes than this, the streams of a socket wait. */
const unsentMax = 32_768
/** The longest reason in a close frame, in bytes. */
const reasonBytesMax = 123
const closingBrace = 0x7d
/** The first byte of a whole text message that is not fragmented, and the marks of longer lengths (RFC 6455, 5.2). */
const [textFrame, length16, length64] = [0x81, 126, 127]

/** What a node knows of a socket. */
export type Extra = {
  readonly socket: WebSocket
  /** The TCP connection below it. */
  readonly tcp: Duplex
  /** The address of the client. */
  readonly address: string
  /** Its slot in the count of that address. */
  readonly slot: AddressSlot
  call: Call
  connection: Connection | null
  /** The device behind it; null while it has no session. */
  device: ConnectedDevice | null
  /** Ids of operations that were sent and do not run yet: a second operation with such an id would leak the first. */
  readonly starting: string[]
  /** The node has started its farewell: it ignores new messages. */
  isLeaving: boolean
  /** Reads from the socket again, if it was paused and is no longer busy. */
  resumeReading(): void
}

/** Closes a socket. It ignores further messages, and terminates the socket if the client does not answer the close frame. */
export function endSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return
  // In stream mode, the decoder drops a character that was cut.
  socket.close(code, new TextDecoder().decode(Buffer.from(reason).subarray(0, reasonBytesMax), { stream: true }))
  setTimeout(() => socket.terminate(), handshakeMs).unref()
}

/**
 * Adapts a socket of `ws` to the protocol. It pauses reading from a client that does not read its answers or has too much under
 * way. If handling a message fails unexpectedly, it logs the error and closes the socket.
 */
export function adapt(socket: WebSocket, extra: Extra, app: App): ProtocolSocket {
  const underWayMax = app.config.socket.subscriptionsMax + 64
  let underWay = 0
  const isBusy = () => socket.bufferedAmount > unreadMax || underWay > underWayMax
  const resumeReading = () => {
    if (socket.isPaused && !isBusy()) socket.resume()
  }
  extra.resumeReading = resumeReading
  socket.once('close', (code) => serverSteps.socketClosed.publish({ code }))
  const close = (code = 1000, reason = '') => {
    app.log.debug({ code, reason, address: extra.address }, 'a WebSocket was closed for what its client sent')
    endSocket(socket, code, reason)
  }
  return {
    protocol: socket.protocol,
    send: (text) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== socket.OPEN) return resolve()
        socket.send(text, (error) => {
          resumeReading()
          return error ? reject(error) : resolve()
        })
      }),
    close,
    onMessage: (take) => {
      socket.on('message', (frame, isBinary) => {
        if (socket.readyState !== socket.OPEN || extra.isLeaving) return
        if (isBinary) return close(CloseCode.BadRequest, 'Messages must be text, not binary.')
        const text = String(frame)
        underWay += 1
        if (isBusy()) socket.pause()
        take(text)
          .catch((error: unknown) => {
            if (socket.readyState !== socket.OPEN) return
            if (isFromServer(text)) return close(CloseCode.BadRequest, 'Only the server may send a message of this type.')
            app.log.error({ err: error }, 'a message on a WebSocket failed')
            endSocket(socket, CloseCode.InternalServerError, 'Internal server error')
          })
          .finally(() => {
            underWay -= 1
            resumeReading()
          })
      })
    },
  }
}

/** Whether a message, known to be valid JSON, has a type that only servers send: graphql-ws parses both directions alike. */
function isFromServer(text: string): boolean {
  const { type } = JSON.parse(text) as { type: string }
  return type === 'next' || type === 'error' || type === 'connection_ack'
}

/**
 * Sends the payloads of one operation as `next` messages of graphql-transport-ws. The bytes around a payload are made once, and
 * the payload is copied unchanged. A client that does not read has at most one frame too many in memory, and gets the next one
 * after that has gone out.
 *
 * This is the hot path of delivery: a frame goes to the TCP connection as one buffer in one write, where `ws` writes its head
 * separately. That is safe because `ws` writes each of its own frames in one go, too: it would queue only compressed messages.
 */
export function frames(extra: Extra, id: string): PayloadSink {
  const { socket, tcp } = extra
  const before = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`)
  return {
    take(payload, more) {
      if (socket.readyState !== socket.OPEN) return false
      const frame = frameOf(before, payload)
      if (tcp.writableLength < unsentMax) {
        tcp.write(frame)
        return true
      }
      tcp.write(frame, () => {
        extra.resumeReading()
        more()
      })
      return false
    },
  }
}

/** The frame of a message: the bytes `before` the payload, the payload, and the closing brace (RFC 6455, 5.2). */
function frameOf(before: Buffer, payload: Buffer): Buffer {
  const length = before.length + payload.length + 1
  const head = length < length16 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = textFrame
  if (head === 2) frame[1] = length
  else if (head === 4) frame[1] = length16
  else frame[1] = length64
  if (head === 4) frame.writeUInt16BE(length, 2)
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2)
  before.copy(frame, head)
  payload.copy(frame, head + before.length)
  frame[frame.length - 1] = closingBrace
  return frame
}

/**
 * Closes a socket with 1012, so that its client connects to another node and resumes. It first waits for operations that are
 * starting to be answered.
 */
export async function farewell(extra: Extra): Promise<void> {
  extra.isLeaving = true
  for (const deadline = Date.now() + farewellMs; extra.starting.length > 0 && Date.now() < deadline; ) await delay(10)
  await new Promise(setImmediate) // a finished answer goes out first
  endSocket(extra.socket, 1012, 'The server is shutting down. Connect again and resume.')
}
