// A Redis that goes away in the one moment in which its client has asked again for what it hears, and has no answer yet.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openRedisBus } from '../../src/bus/redis.ts'
import { openLog } from '../../src/log.ts'
import { until } from '../process/parley.ts'

/** Answers what a client asks when it connects, and the first SUBSCRIBE; no later one. */
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

test('D7 a bus that is closed while Redis has not answered its renewed subscription leaves no promise alone', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const { url, listeners } = await openFakeRedis()
  const bus = openRedisBus(url, openLog('silent', 'test'))
  await bus.subscribe('topic', () => undefined)
  listeners[0]?.destroy()
  await until('the subscription to be renewed', () => listeners.length > 1)
  const closed = new Promise((resolve) => listeners[1]?.once('close', resolve))
  await bus.close()
  await closed
  // The client hears of its end a moment after the server does: by the time of another round trip it has.
  for (let trip = 0; trip < 3; trip += 1) await once(connect(Number(new URL(url).port), '127.0.0.1').end(), 'close')
  expect(unhandled).toEqual([])
})
