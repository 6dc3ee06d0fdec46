// The peer Socket.IO with its Redis adapter: all devices in one room, over WebSocket only.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { eventOf } from '../kit/fact.ts'
import { expose, settings } from '../kit/parent.ts'

const { redisUrl } = settings<{ redisUrl: string }>()
const publisher = new Redis(redisUrl)
const http = createServer()
const io = new Server(http, { transports: ['websocket'], adapter: createAdapter(publisher, publisher.duplicate()) })
let seq = 0
let joined = 0

io.on('connection', (socket) => {
  void Promise.resolve(socket.join('conversation')).then(() => {
    joined += 1
  })
  socket.on('disconnect', () => {
    joined -= 1
  })
})

const api = {
  port: () => (http.address() as AddressInfo).port,
  subscribers: () => joined,
  publish(text: string) {
    seq += 1
    io.to('conversation').emit('event', eventOf(seq, text))
  },
}
export type SocketIoServer = typeof api

http.listen(0, '127.0.0.1', 4096, () => expose(api))
