// The outbox sends files: it uploads them first, continues where an upload was broken off, and the message exists once.

import { beforeEach, expect, test } from 'vitest'
import WebSocket from 'ws'
import { createParleyClient, memoryOutbox, type OutboxMessage, type OutboxStorage } from '../../client/src/client.ts'
import { MessageFiles } from '../attachment/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { sessionOf } from './app.ts'

let node: Node
let alice: Device
let bob: Device
let direct: string

beforeEach(async () => {
  node = await openNode()
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  direct = await alice.direct(bob)
})

const file = (size: number, fileName = 'big.bin') => ({ blob: new Blob([new Uint8Array(size).fill(7)]), fileName })

/** A client whose requests pass through `fetch`. */
function clientWith(outbox: OutboxStorage, fetch: typeof globalThis.fetch = globalThis.fetch) {
  const client = createParleyClient({
    url: node.url,
    webSocketImpl: WebSocket as never,
    session: sessionOf(alice),
    outbox,
    fetch,
    limits: { firstMs: 20, maxMs: 100 },
  })
  closeAtEnd(() => client.close())
  return client
}

const filesOf = async (messageId: string | undefined) => {
  const { node: message } = await bob.run(MessageFiles, { id: messageId ?? '' })
  return message && 'attachments' in message ? message.attachments : null
}

test('a message with files is sent when they are uploaded, and says how far it is', async () => {
  const client = clientWith(memoryOutbox())
  const sent: number[] = []
  client.outbox.onChange((message: OutboxMessage) => sent.push(message.uploads[0]?.sentBytes ?? 0))
  const { clientMessageId } = await client.send({
    conversationId: direct,
    text: 'look',
    files: [file(1_200_000), file(10, 'small.bin')],
  })
  const settled = await client.outbox.settled(clientMessageId)
  expect(settled).toMatchObject({ status: 'SENT' })
  expect(await filesOf(settled.sent?.messageId)).toMatchObject([
    { fileName: 'big.bin', byteSize: 1_200_000, state: 'READY' },
    { fileName: 'small.bin', byteSize: 10 },
  ])
  expect(sent.some((bytes) => bytes > 0 && bytes < 1_200_000)).toBe(true)
})

test('an upload that is broken off continues with the next client on the same storage', async () => {
  const storage = memoryOutbox()
  const patched: number[] = []
  let isCut = false
  const cutting: typeof fetch = (url, init) => {
    if (init?.method === 'PATCH') {
      const offset = Number(new Headers(init.headers).get('upload-offset'))
      if (isCut) return Promise.reject(new TypeError('cut'))
      patched.push(offset)
      if (offset > 0) isCut = true
    }
    return isCut ? Promise.reject(new TypeError('cut')) : fetch(url, init)
  }
  const first = clientWith({ ...storage, close: async () => undefined }, cutting)
  const { clientMessageId } = await first.send({ conversationId: direct, text: '', files: [file(2_000_000)] })
  await expect.poll(() => isCut).toBe(true)
  await first.close()
  const offsets: number[] = []
  const second = clientWith(storage, (url, init) => {
    if (init?.method === 'PATCH') offsets.push(Number(new Headers(init.headers).get('upload-offset')))
    return fetch(url, init)
  })
  await expect.poll(() => second.outbox.messages.length).toBe(1)
  const settled = await second.outbox.settled(clientMessageId)
  expect(settled).toMatchObject({ status: 'SENT' })
  expect(offsets[0]).toBeGreaterThan(0)
  expect(await filesOf(settled.sent?.messageId)).toMatchObject([{ byteSize: 2_000_000, state: 'READY' }])
})

test('a lost answer to the send makes no second message and no second upload', async () => {
  let losses = 2
  let begun = 0
  const client = clientWith(memoryOutbox(), async (url, init) => {
    const body = String(init?.body ?? '')
    if (body.includes('CreateUpload')) begun += 1
    const response = await fetch(url, init)
    if (!body.includes('SendMessage') || losses === 0) return response
    losses -= 1
    throw new TypeError('the answer is lost')
  })
  const { clientMessageId } = await client.send({ conversationId: direct, text: 'once', files: [file(100)] })
  expect(await client.outbox.settled(clientMessageId)).toMatchObject({ status: 'SENT' })
  expect(begun).toBe(1)
})

test('uploads that the server has removed in the meantime are made again', async () => {
  const storage = memoryOutbox()
  let isBlocked = true
  const client = clientWith(storage, (url, init) =>
    isBlocked && String(init?.body ?? '').includes('SendMessage') ? Promise.reject(new TypeError('offline')) : fetch(url, init),
  )
  const { clientMessageId } = await client.send({ conversationId: direct, text: '', files: [file(100)] })
  await expect.poll(() => client.outbox.messages[0]?.uploads[0]?.sentBytes).toBe(100)
  await node.app.store.prisma.attachment.deleteMany({})
  isBlocked = false
  const settled = await client.outbox.settled(clientMessageId)
  expect(settled).toMatchObject({ status: 'SENT' })
  expect(await filesOf(settled.sent?.messageId)).toHaveLength(1)
})

test('a file that the server refuses fails its message, which can be discarded', async () => {
  const client = clientWith(memoryOutbox())
  const { clientMessageId } = await client.send({ conversationId: direct, text: '', files: [file(30_000_000)] })
  expect(await client.outbox.settled(clientMessageId)).toMatchObject({ status: 'FAILED', failure: { code: 'LIMIT_EXCEEDED' } })
  await client.outbox.discard(clientMessageId)
  expect(client.outbox.messages).toEqual([])
})

/** Lets the node's answers name a bucket, which answers each PUT with what `answer` says. */
function behindBucket(answer: (puts: number) => Response | 'accept') {
  const counts = { begun: 0, puts: 0 }
  const through: typeof fetch = async (url, init) => {
    const target = String(url)
    if (target.startsWith('http://bucket.invalid/')) {
      counts.puts += 1
      const said = answer(counts.puts)
      return said === 'accept' ? fetch(target.replace('http://bucket.invalid', node.url.replace(/\/graphql$/, '')), init) : said
    }
    const response = await fetch(url, init)
    if (!String(init?.body ?? '').includes('CreateUpload')) return response
    counts.begun += 1
    const body = (await response.json()) as { data: { createUpload: { upload: { url: string; resumableUrl: string | null } } } }
    const { upload } = body.data.createUpload
    upload.url = `http://bucket.invalid${upload.url}`
    upload.resumableUrl = null
    return Response.json(body)
  }
  return { counts, through }
}

test.each([400, 401, 403])(
  'a bucket that answers %i does not accept the URL any more: the upload starts again',
  async (status) => {
    const { counts, through } = behindBucket((puts) => (puts === 1 ? new Response('<Error/>', { status }) : 'accept'))
    const client = clientWith(memoryOutbox(), through)
    const { clientMessageId } = await client.send({ conversationId: direct, text: '', files: [file(100)] })
    const settled = await client.outbox.settled(clientMessageId)
    expect(settled).toMatchObject({ status: 'SENT' })
    expect(counts).toEqual({ begun: 2, puts: 2 })
    expect(await filesOf(settled.sent?.messageId)).toMatchObject([{ byteSize: 100 }])
  },
)

test('a bucket that never accepts a URL, or refuses the file, fails the message', async () => {
  for (const [status, code] of [
    [403, 'FILE_REFUSED'],
    [413, 'FILE_REFUSED'],
  ] as const) {
    const { counts, through } = behindBucket(() => new Response('<Error/>', { status }))
    const client = clientWith(memoryOutbox(), through)
    const { clientMessageId } = await client.send({ conversationId: direct, text: '', files: [file(100)] })
    expect(await client.outbox.settled(clientMessageId)).toMatchObject({ status: 'FAILED', failure: { code } })
    expect(counts.begun).toBe(status === 403 ? 4 : 1)
  }
})

test('an upload whose URL has expired starts again, and none of its bytes are sent to the old URL', async () => {
  const storage = memoryOutbox()
  let isCut = true
  const { counts, through } = behindBucket(() => {
    if (isCut) throw new TypeError('cut')
    return 'accept'
  })
  const first = clientWith({ ...storage, close: async () => undefined }, through)
  const { clientMessageId } = await first.send({ conversationId: direct, text: '', files: [file(100)] })
  await expect.poll(() => counts.puts).toBeGreaterThan(0)
  await first.close()
  const [stored] = await storage.load()
  if (!stored?.uploads?.[0]) throw new Error('the upload was not stored')
  const expired = { ...stored.uploads[0], url: 'http://bucket.invalid/expired', expiresAtMs: Date.now() - 1 }
  await storage.replace({ ...stored, uploads: [expired] })
  const second = clientWith(storage, through)
  await expect.poll(() => second.outbox.messages.length).toBe(1)
  isCut = false
  expect(await second.outbox.settled(clientMessageId)).toMatchObject({ status: 'SENT' })
  expect(counts.begun).toBe(2)
})
