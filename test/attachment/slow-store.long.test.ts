// A bucket that stops in the middle of an answer, or before it: what needs it ends within its limit, and nothing else waits.

import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { openS3Store } from '../../src/attachment/s3-store.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { openProxy, type ServerProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { begin, fileOf, load, put, sendFiles, textFile } from './files.ts'
import { bucket, startS3 } from './s3-server.ts'
import { localFile } from './store.ts'

/** What a store may take to send the next bytes, with its second attempt, and a little more. */
const limitMs = 30_000
const size = 20_000_000

let proxy: ServerProxy
let node: Node
let settings: Parameters<typeof openS3Store>[0]
let alice: Device
let bob: Device

beforeAll(async () => {
  const server = await startS3()
  closeAtEnd(() => server.stop())
  proxy = await openProxy(server.endpoint)
  const { credentials } = server
  settings = { bucket, endpoint: proxy.url, region: 'us-east-1', credentials }
  node = await openNode({
    PARLEY_S3_BUCKET: bucket,
    PARLEY_S3_ENDPOINT: proxy.url,
    PARLEY_S3_ACCESS_KEY_ID: credentials.accessKeyId,
    PARLEY_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  })
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

test('a store that stops in the middle of a file ends its reader, with a failure of the store', { timeout: 60_000 }, async () => {
  const store = await openS3Store(settings)
  closeAtEnd(() => store.close())
  const object = `${'a'.repeat(32)}/file`
  await store.write(object, await localFile(Buffer.alloc(size)), 'application/octet-stream')
  const bytes = await store.read(object)
  const begun = performance.now()
  let read = 0
  const reading = (async () => {
    for await (const chunk of bytes ?? []) {
      if (read === 0) proxy.freeze()
      read += (chunk as Buffer).length
    }
  })()
  await expect(reading).rejects.toMatchObject({ name: 'StoreFailure', reason: 'AWAY' })
  expect(read).toBeLessThan(size)
  expect(performance.now() - begun).toBeLessThan(limitMs)
  proxy.restore()
})

test('while a store hangs, sends with files and downloads are refused in time, and texts do not wait', {
  timeout: 120_000,
}, async () => {
  const text = textFile('kept')
  const [sent, waiting] = [await begin(alice, text), await begin(alice, text)]
  for (const { upload } of [sent, waiting]) await put(alice, upload, text.bytes)
  const direct = await alice.direct(bob)
  const { message } = await sendFiles(alice, direct, [sent.attachment.id])
  proxy.freeze()
  const begun = performance.now()
  const loading = load(bob, message.attachments[0]?.url)
  const sending = sendFiles(alice, direct, [waiting.attachment.id]).catch((error: Error) => error.message)
  const [carol] = (await signUpAll(node, 'Carol')) as [Device]
  const before = performance.now()
  await carol.send(await carol.direct(bob), 'words go on')
  expect(performance.now() - before).toBeLessThan(2_000)
  expect((await loading).status).toBe(503)
  expect(await sending).toContain('UNAVAILABLE')
  expect(performance.now() - begun).toBeLessThan(2 * limitMs)
  proxy.restore()
  await sendFiles(alice, direct, [waiting.attachment.id])
  expect(await fileOf(bob, waiting.attachment.id)).toMatchObject({ state: 'READY' })
})

test('a file that many wait for at once is refused to more of them, and other files are not', { timeout: 60_000 }, async () => {
  const direct = await alice.direct(bob)
  const urls: (string | null | undefined)[] = []
  for (const name of ['crowded', 'other']) {
    const { attachment, upload } = await begin(alice, textFile(name))
    await put(alice, upload, Buffer.from(name))
    urls.push((await sendFiles(alice, direct, [attachment.id])).message.attachments[0]?.url)
  }
  const [crowded, other] = urls
  proxy.freeze()
  const waiting = Array.from({ length: 200 }, () => load(bob, crowded))
  await until('one to be refused', async () => {
    const answer = await Promise.race([load(bob, crowded, { range: 'bytes=0-0' }), delay(1_000, null)])
    if (answer?.status !== 429) return false
    expect(await answer.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] })
    return true
  })
  const elsewhere = load(bob, other)
  proxy.restore()
  expect(await (await elsewhere).text()).toBe('other')
  for (const answer of await Promise.all(waiting)) await answer.arrayBuffer()
  expect(await (await load(bob, crowded)).text()).toBe('crowded')
})
