// The store in a bucket: the suite of all stores, and the way of a file from the client straight to the bucket and back through the
// node.

import { beforeAll, expect, test } from 'vitest'
import type { FileStore } from '../../src/attachment/file-store.ts'
import { openS3Store } from '../../src/attachment/s3-store.ts'
import { DeleteMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { closeAtEnd, type Environment, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { begin, fileOf, load, photo, processed, put, sendFiles, textFile } from './files.ts'
import { bucket, type S3Server } from './s3-server.ts'
import { storeSuite } from './store.ts'

/** Declares the suite for a server that `start` starts. */
export function s3Suite(start: () => Promise<S3Server>): void {
  let server: S3Server
  let store: FileStore
  let settings: Environment
  let node: Node
  let alice: Device
  let bob: Device

  beforeAll(async () => {
    server = await start()
    closeAtEnd(() => server.stop())
    const { endpoint, credentials } = server
    store = await openS3Store({ bucket, endpoint, region: 'us-east-1', credentials })
    closeAtEnd(() => store.close())
    settings = {
      PARLEY_S3_BUCKET: bucket,
      PARLEY_S3_ENDPOINT: endpoint,
      PARLEY_S3_ACCESS_KEY_ID: credentials.accessKeyId,
      PARLEY_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    }
    node = await openNode(settings)
    ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  })

  storeSuite(() => store)

  test('a client writes straight to the bucket, and the first use finds out what it is', async () => {
    const { attachment, upload: how } = await begin(alice, textFile('straight'))
    expect(how.url).toContain(server.endpoint)
    expect(how.resumableUrl).toBeNull()
    const direct = await alice.direct(bob)
    await expect(sendFiles(alice, direct, [attachment.id])).rejects.toThrow('UPLOAD_INCOMPLETE')
    expect((await put(alice, how, Buffer.from('straight'))).status).toBe(200)
    const { message } = await sendFiles(alice, direct, [attachment.id])
    expect(message.attachments).toMatchObject([{ kind: 'FILE', state: 'READY' }])
    const response = await load(bob, message.attachments[0]?.url)
    expect(response.headers.get('content-disposition')).toMatch(/^attachment/)
    expect(await response.text()).toBe('straight')
    const part = await load(bob, message.attachments[0]?.url, { range: 'bytes=2-5' })
    expect([part.status, await part.text()]).toEqual([206, 'raig'])
  })

  test('what a client writes after its upload was complete is never shown, and goes when its URL has ended', async () => {
    const { attachment, upload: how } = await begin(alice, textFile('before'))
    await put(alice, how, Buffer.from('before'))
    const direct = await alice.direct(bob)
    const { message } = await sendFiles(alice, direct, [attachment.id])
    expect((await put(alice, how, Buffer.from('after!'))).status).toBe(200)
    expect(await (await load(bob, message.attachments[0]?.url)).text()).toBe('before')
    const where = { attachments: { some: { id: Number.parseInt(attachment.id.slice(4), 36) } } }
    const { storageKey, uploadUntil } = await node.app.store.prisma.storedFile.findFirstOrThrow({ where })
    expect(uploadUntil?.getTime()).toBeGreaterThan(Date.now() + 3_600_000)
    expect(await store.sizeOf(`${storageKey}/upload`)).toBe(6)
    await node.app.store.prisma.storedFile.updateMany({ where, data: { uploadUntil: new Date(Date.now() - 1) } })
    const other = await openNode({ ...settings, DATABASE_URL: node.databaseUrl })
    await until('the late bytes to go', async () => (await store.sizeOf(`${storageKey}/upload`)) === null)
    await other.close()
    expect(await (await load(bob, message.attachments[0]?.url)).text()).toBe('before')
  })

  test('a picture in the bucket is made like any other, and goes with its message', async () => {
    const taken = await photo()
    const { attachment, upload: how } = await begin(alice, taken)
    await put(alice, how, taken.bytes)
    const direct = await alice.direct(bob)
    const { message } = await sendFiles(alice, direct, [attachment.id])
    const file = await processed(alice, attachment.id)
    expect(file).toMatchObject({ state: 'READY', width: 640, height: 480 })
    const row = await node.app.store.prisma.attachment.findFirstOrThrow({
      where: { id: Number.parseInt(attachment.id.slice(4), 36) },
      include: { file: true },
    })
    const object = (name: string) => `${row.file.storageKey}/${name}`
    expect(await store.sizeOf(object('picture'))).toBe(file.byteSize)
    expect((await load(bob, file.url)).status).toBe(200)
    await alice.run(DeleteMessage, { input: { messageId: message.id } })
    expect((await load(bob, file.url)).status).toBe(404)
    await until(
      'the objects to go',
      async () => (await store.sizeOf(object('picture'))) === null && (await store.sizeOf(object('320'))) === null,
    )
  })

  test('while the store is away, what needs it is refused and can be repeated, and the rest goes on', async () => {
    const text = textFile('kept')
    const { attachment, upload: how } = await begin(alice, text)
    await put(alice, how, text.bytes)
    const direct = await alice.direct(bob)
    const { message } = await sendFiles(alice, direct, [attachment.id])
    const waiting = await begin(alice, text)
    await put(alice, waiting.upload, text.bytes)
    await server.pause()
    expect((await load(bob, message.attachments[0]?.url)).status).toBe(503)
    await expect(sendFiles(alice, direct, [waiting.attachment.id])).rejects.toThrow('UNAVAILABLE')
    expect((await alice.send(direct, 'words go on')).message.text).toBe('words go on')
    await server.resume()
    await sendFiles(alice, direct, [waiting.attachment.id])
    expect(await (await load(bob, message.attachments[0]?.url)).text()).toBe('kept')
    expect(await fileOf(bob, waiting.attachment.id)).toMatchObject({ state: 'READY' })
  })
}
