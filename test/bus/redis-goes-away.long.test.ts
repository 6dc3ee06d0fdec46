// Redis goes away at the moment when its client has resubscribed and waits for the answer.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../process/parley.ts'
import { anything, redisBus } from '../support/bus.ts'

/** Answers what a client sends when it connects, and the first SUBSCRIBE; no later one. */
async function openFakeRedis(): Promise<{ url: string; listeners: Socket[] }> {
  const listeners: Socket[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('data', (chunk) => {
      for (const [, command = ''] of String(chunk).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        if (command.toLowerCase() === 'info') socket.write('$19\r\nredis_version:7.0.0\r\n')
        else if (command.toLowerCase() !== 'subscribe') socket.write('+OK\r\n')
        else if (listeners.push(socket) === 1) socket.write('*3\r\n$9\r\nsubscribe\r\n$5\r\ntopic\r\n:1\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `redis://127.0.0.1:${address.port}`, listeners }
}

test('D7 a bus closed while Redis has not answered its renewed subscription leaves no promise unhandled', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const { url, listeners } = await openFakeRedis()
  const bus = redisBus(url)
  await bus.subscribe('topic', anything, () => undefined)
  listeners[0]?.destroy()
  await until('the subscription to be renewed', () => listeners.length > 1)
  const closed = new Promise((resolve) => listeners[1]?.once('close', resolve))
  await bus.close()
  await closed
  // The client notices the end a moment after the server: one more round trip is enough.
  for (let trip = 0; trip < 3; trip += 1) await once(connect(Number(new URL(url).port), '127.0.0.1').end(), 'close')
  expect(unhandled).toEqual([])
})
