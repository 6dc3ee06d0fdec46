// The floor: sockets of `ws`, one string to each.

import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { eventOf, frameOf } from '../kit/fact.ts'
import { expose } from '../kit/parent.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 4096, perMessageDeflate: false })
let seq = 0

const api = {
  port: () => (server.address() as AddressInfo).port,
  subscribers: () => server.clients.size,
  publish(text: string) {
    seq += 1
    const frame = frameOf(eventOf(seq, text))
    for (const socket of server.clients) socket.send(frame)
  },
}
export type RawServer = typeof api

server.once('listening', () => expose(api))
