// Frames drawn at random, on WebSockets: the node closes what it cannot understand with a code of the protocol, and goes on as
// before for everybody else.

import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { type Random, withSeed } from '../support/random.ts'

let node: Node
let ann: Device
let ben: Device

beforeAll(async () => {
  node = await openNode({ PARLEY_METRICS_PORT: '0', PARLEY_LOG_LEVEL: 'silent' })
  ;[ann, ben] = (await signUpAll(node, 'Ann', 'Ben')) as [Device, Device]
})

/** How the node may close a socket for what came over it; 1006: it cut a broken frame. 1011 and 4500 would be bugs. */
const allowed = new Set([1000, 1002, 1003, 1005, 1006, 1007, 1009, 4400, 4401, 4406, 4408, 4409, 4429, 4601, 4602, 4603])
const types = [
  'connection_init',
  'subscribe',
  'complete',
  'ping',
  'pong',
  'next',
  'error',
  'connection_ack',
  'nothing',
  '',
  7,
  null,
]
const queries = [
  '{ viewer { id } }',
  'subscription { events { __typename } }',
  'mutation { logOut { sessionId } ',
  '{',
  '',
  '{ conversations(first: 100) { nodes { messages(first: 100) { nodes { id } } } } }',
]

/** A value of any form. */
function drawValue(random: Random, depth = 3): unknown {
  const leaf = () => random.one([null, true, -1, 2 ** 53, '', 'x'.repeat(random.whole(0, 200)), '\u0000\ud800', '__proto__'])
  if (depth === 0 || random.chance(0.4)) return leaf()
  if (random.chance(0.5)) return Array.from({ length: random.whole(0, 4) }, () => drawValue(random, depth - 1))
  const keys = ['id', 'type', 'payload', 'query', 'variables', 'extensions', 'operationName', '__proto__', 'constructor'] as const
  return Object.fromEntries(Array.from({ length: random.whole(0, 4) }, () => [random.one(keys), drawValue(random, depth - 1)]))
}

/** A frame: a message that may be understood, one with a part of another form, JSON of any form, or bytes. */
function drawFrame(random: Random, ids: readonly [string, ...string[]]): string | Buffer {
  const payload = {
    query: random.one(queries as [string, ...string[]]),
    variables: random.chance(0.3) ? drawValue(random) : {},
    ...(random.chance(0.2) ? { operationName: drawValue(random, 1) } : {}),
    ...(random.chance(0.2) ? { extensions: drawValue(random, 2) } : {}),
  }
  const message: Record<string, unknown> = { id: random.one(ids), type: random.one(types as [unknown, ...unknown[]]), payload }
  if (random.chance(0.3)) message[random.one(['id', 'type', 'payload'])] = drawValue(random)
  const text = random.chance(0.15) ? JSON.stringify(drawValue(random)) : JSON.stringify(message)
  if (random.chance(0.1)) return text.slice(0, random.whole(0, text.length))
  if (random.chance(0.05)) return Buffer.from(Array.from({ length: random.whole(0, 50) }, () => random.whole(0, 255)))
  return text
}

/** Opens a socket, sends frames until it closes or they are over. @returns the close code; null if the client closed it */
async function attack(random: Random, device: Device | null): Promise<number | null> {
  const socket = new WebSocket(node.socketUrl, 'graphql-transport-ws')
  closeAtEnd(async () => socket.terminate())
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  socket.on('error', () => undefined)
  if (device) {
    const acknowledged = new Promise((resolve) => socket.once('message', resolve))
    socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: device.accessToken } }))
    await acknowledged
  }
  const ids = [randomUUID(), 'one', 'two', '', 'x'.repeat(100)] as const
  for (let n = 0; n < 30 && socket.readyState === socket.OPEN; n += 1) {
    await new Promise((resolve) => socket.send(drawFrame(random, ids as unknown as [string, ...string[]]), resolve))
    if (random.chance(0.3)) await new Promise(setImmediate)
  }
  // An answer to a ping comes after what was sent before it; a socket that is being closed does not answer.
  const answered = new Promise<null>((resolve) => socket.once('pong', () => resolve(null)))
  if (socket.readyState === socket.OPEN) socket.ping()
  const code = await Promise.race([closed, answered])
  socket.terminate()
  return code
}

test('frames of any form close at most their own socket, with a code of the protocol', () =>
  withSeed(async (random) => {
    const conversationId = await ann.direct(ben)
    const log = await ben.events().live()
    const codes: (number | null)[] = []
    for (let n = 0; n < 150; n += 1) codes.push(await attack(random, random.chance(0.6) ? ann : null))
    const closing = codes.filter((code) => code !== null)
    expect(closing.filter((code) => !allowed.has(code))).toEqual([])
    // Many must be closed, and for several reasons, or the test proves nothing.
    expect(closing.length).toBeGreaterThan(30)
    expect(new Set(closing).size).toBeGreaterThan(1)

    const metrics = await (await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`)).text()
    expect(metrics).toContain('\nparley_operations_failed_total{code="INTERNAL"} 0\n')
    const { cursor } = await ann.send(conversationId, 'still here')
    await log.until('the message', ({ seen }) => seen.some((event) => event.cursor === cursor))
    log.stop()
  }))
