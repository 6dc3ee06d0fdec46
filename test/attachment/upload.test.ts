// Uploads: what is announced is what may be sent, in one piece or in parts, and only by who was given the URL.

import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { createConnection } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { CreateUpload, SendFiles } from './documents.ts'
import { begin, fileOf, load, put, resolved, textFile, upload } from './files.ts'

let node: Node
let alice: Device
let bob: Device

beforeAll(async () => {
  node = await openNode({ PARLEY_FILE_BYTES_MAX: '100000', PARLEY_FILE_BYTES_PER_USER_MAX: '300000' })
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

const tusHeaders = { 'tus-resumable': '1.0.0' }
const patch = (url: string, offset: number, bytes: Buffer) =>
  fetch(url, {
    method: 'PATCH',
    headers: { ...tusHeaders, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
    body: new Uint8Array(bytes),
  })
const offsetOf = async (url: string) => {
  const response = await fetch(url, { method: 'HEAD', headers: tusHeaders })
  return Number(response.headers.get('upload-offset'))
}

test('an uploaded file is ready, and its owner can load it', async () => {
  const file = textFile()
  const { attachment, upload: how } = await begin(alice, file)
  expect(attachment).toMatchObject({ state: 'UPLOADING', fileName: 'notes.txt', byteSize: file.bytes.length, url: null })
  expect(how).toMatchObject({ method: 'PUT', resumableUrl: how.url })
  expect((await put(alice, how, file.bytes)).status).toBe(204)
  const ready = await fileOf(alice, attachment.id)
  expect(ready).toMatchObject({ state: 'READY', kind: 'FILE', contentType: 'text/plain' })
  const response = await load(alice, ready?.url)
  expect(await response.text()).toBe('hello, file')
  expect(await fileOf(bob, attachment.id)).toBeNull()
})

test('a repeat of an upload whose answer was lost succeeds and changes nothing', async () => {
  const file = textFile('once')
  const { attachment, upload: how } = await begin(alice, file)
  await put(alice, how, file.bytes)
  expect((await put(alice, how, Buffer.from('ecno'))).status).toBe(204)
  const response = await load(alice, (await fileOf(alice, attachment.id))?.url)
  expect(await response.text()).toBe('once')
})

test('more or fewer bytes than announced are refused, and nothing is stored', async () => {
  const { attachment, upload: how } = await begin(alice, textFile('12345'))
  for (const [bytes, status] of [
    ['123456', 413],
    ['1234', 400],
  ] as const) {
    expect((await put(alice, how, Buffer.from(bytes))).status).toBe(status)
  }
  expect(await fileOf(alice, attachment.id)).toMatchObject({ state: 'UPLOADING' })
  expect((await put(alice, how, Buffer.from('12345'))).status).toBe(204)
})

test('a client that reads the answer after it has sent everything hears why it was refused', async () => {
  const { upload: how } = await begin(alice, textFile('12345'))
  const { pathname, search, port } = new URL(resolved(alice, how.url))
  const socket = createConnection(Number(port), '127.0.0.1').pause()
  const send = promisify((bytes: string | Buffer, callback: (error?: Error | null) => void) => socket.write(bytes, callback))
  const bytes = Buffer.alloc(1_000_000)
  await send(`PUT ${pathname}${search} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${10 * bytes.length}\r\n\r\n`)
  for (let sent = 0; sent < 10; sent += 1) await send(bytes)
  expect(await text(socket)).toMatch(/^HTTP\/1.1 413 [\s\S]*"code":"LIMIT_EXCEEDED"/)
})

test('a body without a length, or with an encoding, is refused', async () => {
  const { upload: how } = await begin(alice, textFile('12345'))
  const url = new URL(resolved(alice, how.url))
  const statusWith = (headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      const sent = httpRequest(url, { method: 'PUT', headers }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on('error', reject)
      sent.end('12345')
    })
  expect(await statusWith({ 'transfer-encoding': 'chunked' })).toBe(411)
  expect(await statusWith({ 'content-length': '5', 'content-encoding': 'gzip' })).toBe(415)
})

test("a URL that is changed to somebody else's upload, or that has expired, is not found", async () => {
  const mine = await begin(alice, textFile('mine'))
  const theirs = await begin(bob, textFile('over'))
  const forged = mine.upload.url.replace(mine.attachment.id, theirs.attachment.id)
  for (const url of [
    forged,
    `${mine.upload.url}x`,
    mine.upload.url.replace(/until=\d+/, 'until=99999999999'),
    '/files/uploads/x',
  ]) {
    const response = await put(alice, { url, headers: {} }, Buffer.from('evil'))
    expect([url, response.status]).toEqual([url, 404])
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] })
  }
})

test('an upload in parts continues on another node where it was broken off', async () => {
  const [here, there] = await openPair()
  const [carol] = (await signUpAll(here, 'Carol')) as [Device]
  const bytes = Buffer.alloc(300_000, 'parley')
  const { attachment, upload: how } = await begin(carol, { name: 'big.bin', type: 'application/octet-stream', bytes })
  const [first, second] = [here, there].map(({ url }) => new URL(how.resumableUrl ?? '', url).href) as [string, string]
  expect(await offsetOf(first)).toBe(0)
  // Breaks off in the middle of a part.
  const broken = httpRequest(new URL(first), {
    method: 'PATCH',
    headers: {
      ...tusHeaders,
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
      'content-length': '300000',
    },
  })
  broken.on('error', () => undefined)
  broken.write(bytes.subarray(0, 100_000))
  await until(
    'the first bytes to be stored',
    async () => ((await here.app.files.disk.uploadedSize(await keyOf(here, attachment.id))) ?? 0) > 0,
  )
  broken.destroy()
  const offset = await offsetOf(second)
  expect(offset).toBeGreaterThan(0)
  expect((await patch(second, offset + 1, bytes.subarray(offset + 1))).status).toBe(409)
  expect((await patch(second, offset, bytes.subarray(offset))).status).toBe(204)
  expect(await offsetOf(first)).toBe(300_000)
  const file = await fileOf(carol, attachment.id)
  expect(Buffer.from(await (await load(carol, file?.url)).arrayBuffer()).equals(bytes)).toBe(true)
})

async function keyOf({ databaseUrl }: Node, id: string): Promise<string> {
  const sql = await connect(databaseUrl)
  const number = Number.parseInt(id.slice(4), 36)
  const { rows } = await sql.query<{ key: string }>(
    'select storage_key as key from stored_file f join attachment a on a.file_id = f.id where a.id = $1',
    [number],
  )
  return rows[0]?.key ?? ''
}

test('two requests for the same upload do not write at once', async () => {
  const bytes = Buffer.alloc(90_000, 'x')
  const { attachment, upload: how } = await begin(alice, { name: 'x.bin', type: 'application/octet-stream', bytes })
  const slow = httpRequest(new URL(resolved(alice, how.url)), { method: 'PUT', headers: { 'content-length': '90000' } })
  slow.on('error', () => undefined)
  slow.write(bytes.subarray(0, 1_000))
  await until('the first request to hold the lock', async () => {
    const sql = await connect(node.databaseUrl)
    const { rows } = await sql.query("select 1 from pg_locks where locktype = 'advisory' and classid = 7023")
    return rows.length === 1
  })
  // The client has come back: the first request makes room.
  expect((await put(alice, how, bytes)).status).toBe(204)
  expect(await fileOf(alice, attachment.id)).toMatchObject({ state: 'READY' })
})

test('a node whose connection for locks was lost takes uploads again, and can close', async () => {
  const own = await openNode()
  const [gina] = (await signUpAll(own, 'Gina')) as [Device]
  await upload(gina, textFile())
  const sql = await connect(own.databaseUrl)
  await sql.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley jobs' and datname = current_database()",
  )
  await until('an upload', () =>
    upload(gina, textFile()).then(
      () => true,
      () => false,
    ),
  )
  await own.close()
})

test('what cannot be announced is refused with the argument at fault', async () => {
  const input = { fileName: 'a.txt', contentType: 'text/plain', byteSize: 10, purpose: 'MESSAGE' as const }
  const refusals = [
    [{ byteSize: 100_001 }, 'LIMIT_EXCEEDED', 'input.byteSize'],
    [{ byteSize: 0 }, 'BAD_INPUT', 'input.byteSize'],
    [{ contentType: 'text' }, 'BAD_INPUT', 'input.contentType'],
    [{ contentType: 'text/plain\r\nx: y' }, 'BAD_INPUT', 'input.contentType'],
    [{ fileName: 'n\0ul' }, 'BAD_INPUT', 'input.fileName'],
    [{ fileName: 'evil\u202Egnp.exe' }, 'BAD_INPUT', 'input.fileName'],
    [{ fileName: 'x'.repeat(10_240) }, 'BAD_INPUT', 'input.fileName'],
    [{ fileName: '../..' }, 'BAD_INPUT', 'input.fileName'],
    [{ fileName: '   ' }, 'BAD_INPUT', 'input.fileName'],
  ] as const
  for (const [wrong, code, argument] of refusals) {
    const error = await alice.refused(CreateUpload, { input: { ...input, ...wrong } })
    expect([wrong, error.extensions.code, error.extensions.argument]).toEqual([wrong, code, argument])
  }
})

test('a name loses its path and keeps its letters', async () => {
  for (const [given, kept] of [
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\사진 1.jpg', '사진 1.jpg'],
    ['résumé (final).pdf', 'résumé (final).pdf'],
  ] as const) {
    const { attachment } = await begin(alice, { ...textFile('x'), name: given })
    expect(attachment.fileName).toBe(kept)
  }
})

test("a user's files have a quota, which counts what is only announced", async () => {
  const [dan] = (await signUpAll(node, 'Dan')) as [Device]
  const large = { name: 'l.bin', type: 'application/octet-stream', bytes: Buffer.alloc(100_000) }
  for (let i = 0; i < 3; i += 1) await begin(dan, large)
  const input = { fileName: 'one.txt', contentType: 'text/plain', byteSize: 1, purpose: 'MESSAGE' as const }
  expect(await dan.refused(CreateUpload, { input })).toMatchObject({ extensions: { code: 'STORAGE_FULL', retryable: false } })
})

test('a user has at most a hundred uploads that nothing uses', async () => {
  const [erin] = (await signUpAll(node, 'Erin')) as [Device]
  const input = { fileName: 'one.txt', contentType: 'text/plain', byteSize: 1, purpose: 'MESSAGE' as const }
  for (let i = 0; i < 100; i += 1) await erin.run(CreateUpload, { input })
  expect(await erin.refused(CreateUpload, { input })).toMatchObject({ extensions: { code: 'LIMIT_EXCEEDED' } })
})

test('attachments that were sent do not count as unused', async () => {
  const [fred] = (await signUpAll(node, 'Fred')) as [Device]
  const direct = await fred.direct(bob)
  const id = await upload(fred, textFile())
  const input = { conversationId: direct, clientMessageId: randomUUID(), text: '', attachmentIds: [id] }
  await fred.run(SendFiles, { input })
  const { rows } = await (await connect(node.databaseUrl)).query('select expires_at from attachment where id = $1', [
    Number.parseInt(id.slice(4), 36),
  ])
  expect(rows).toEqual([{ expires_at: null }])
})

test('an upload is used only by its owner, when it is complete, and once', async () => {
  const group = await alice.group('Files', bob)
  const send = (attachmentIds: string[]) => ({
    input: { conversationId: group, clientMessageId: randomUUID(), text: '', attachmentIds },
  })
  const { attachment: incomplete } = await begin(alice, textFile('12345'))
  const theirs = await upload(bob, textFile())
  const used = await upload(alice, textFile())
  await alice.run(SendFiles, send([used]))
  for (const [id, code] of [
    [incomplete.id, 'UPLOAD_INCOMPLETE'],
    [theirs, 'NOT_FOUND'],
    [used, 'ATTACHMENT_USED'],
  ] as const) {
    expect([id, (await alice.refused(SendFiles, send([id]))).extensions.code]).toEqual([id, code])
  }
})

test('an upload whose node died after the last byte is complete, and a message can have it', async () => {
  const file = textFile('the node dies now')
  const { attachment, upload: how } = await begin(alice, file)
  const url = new URL(how.resumableUrl ?? '', node.url).href
  const last = file.bytes.length - 1
  expect((await patch(url, 0, Buffer.from(file.bytes.subarray(0, last)))).status).toBe(204)
  await node.app.files.disk.receive(
    await keyOf(node, attachment.id),
    last,
    file.bytes.length,
    Readable.from([Buffer.from(file.bytes.subarray(last))]),
  )
  expect(await offsetOf(url)).toBe(file.bytes.length)
  const input = {
    conversationId: await alice.direct(bob),
    text: '',
    clientMessageId: randomUUID(),
    attachmentIds: [attachment.id],
  }
  const { sendMessage } = await alice.run(SendFiles, { input })
  expect(sendMessage.message.attachments).toMatchObject([{ id: attachment.id, state: 'READY' }])
  const response = await load(bob, (await fileOf(bob, attachment.id))?.url)
  expect(await response.text()).toBe('the node dies now')
})
