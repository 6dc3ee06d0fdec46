// Downloads: who sees a message gets a URL, the same for everybody for a while; and no file ever runs as a page of the app.

import { print } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { DeleteMessage } from '../law/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { RemoveMember } from '../support/documents.ts'
import { type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { FileEvents, MessageFiles } from './documents.ts'
import { fileOf, load, photo, processed, sendFiles, textFile, upload } from './files.ts'

let node: Node
let alice: Device
let bob: Device
let group: string

beforeAll(async () => {
  node = await openNode()
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  group = await alice.group('Files', bob)
})

const filesOf = async (device: Device, messageId: string) => {
  const { node: message } = await device.run(MessageFiles, { id: messageId })
  return message && 'attachments' in message ? message.attachments : null
}

test('a file is sent with headers that keep it from being a page of the app', async () => {
  const id = await upload(alice, { name: '사진 "1".html', type: 'text/html', bytes: Buffer.from('<script>alert(1)</script>') })
  const { message } = await sendFiles(alice, group, [id])
  const [file] = (await filesOf(bob, message.id)) ?? []
  const response = await load(bob, file?.url)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/octet-stream')
  expect(response.headers.get('content-disposition')).toMatch(
    /^attachment; filename=".*"; filename\*=UTF-8''%EC%82%AC%EC%A7%84%20%221%22\.html$/,
  )
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
  expect(response.headers.get('access-control-allow-origin')).toBe('*')
})

test.each([
  ['an SVG with a script', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
  ['a page that claims to be a picture', 'image/png', '<!doctype html><script>alert(1)</script>'],
  ['a script that claims to be a sound', 'audio/mpeg', 'alert(1)'],
])('%s is only a file', async (_what, type, text) => {
  const id = await upload(alice, { name: 'x', type, bytes: Buffer.from(text) })
  const file = await fileOf(alice, id)
  expect(file).toMatchObject({ kind: 'FILE', contentType: 'application/octet-stream', state: 'READY' })
  const response = await load(alice, file?.url)
  expect(response.headers.get('content-type')).toBe('application/octet-stream')
  expect(response.headers.get('content-disposition')).toMatch(/^attachment/)
})

test('ranges, conditions and HEAD work', async () => {
  const id = await upload(alice, textFile('0123456789'))
  const file = await fileOf(alice, id)
  const whole = await load(alice, file?.url)
  const tag = whole.headers.get('etag') ?? ''
  expect(whole.headers.get('accept-ranges')).toBe('bytes')
  const part = await load(alice, file?.url, { range: 'bytes=2-4' })
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 2-4/10', '234'])
  const end = await load(alice, file?.url, { range: 'bytes=-3' })
  expect([end.status, await end.text()]).toEqual([206, '789'])
  const beyond = await load(alice, file?.url, { range: 'bytes=10-' })
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10'])
  const several = await load(alice, file?.url, { range: 'bytes=0-1,4-5' })
  expect([several.status, await several.text()]).toEqual([200, '0123456789'])
  const old = await load(alice, file?.url, { range: 'bytes=2-4', 'if-range': '"other"' })
  expect(old.status).toBe(200)
  expect((await load(alice, file?.url, { 'if-none-match': tag })).status).toBe(304)
  const head = await fetch(new URL(file?.url ?? '', alice.node.url), { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', ''])
})

test('a URL is the same for everybody in its slot, and ends with the next one', async () => {
  let aheadMs = 0
  const clock = { ...systemClock, now: () => Date.now() + aheadMs, aheadMs: () => aheadMs }
  const turned = await openNode({}, clock)
  const [carol, dan] = (await signUpAll(turned, 'Carol', 'Dan')) as [Device, Device]
  const direct = await carol.direct(dan)
  const { message } = await sendFiles(carol, direct, [await upload(carol, textFile('kept'))])
  const slot = 900_000
  aheadMs += slot - (clock.now() % slot) // the beginning of a slot
  const [[mine], [theirs]] = [(await filesOf(carol, message.id)) ?? [], (await filesOf(dan, message.id)) ?? []]
  expect(mine?.url).toBe(theirs?.url)
  const ends = new Date(mine?.urlExpiresAt ?? 0).getTime()
  expect(ends - (clock.now() - (clock.now() % slot))).toBe(2 * slot)
  const response = await load(dan, mine?.url)
  expect(response.headers.get('cache-control')).toEqual(expect.stringMatching(/^public, max-age=17\d\d, immutable$/))
  aheadMs += slot
  // The access tokens of the test have expired with the clock: the URL needs none.
  expect((await load(dan, mine?.url)).status).toBe(200)
  aheadMs += slot
  expect((await load(dan, mine?.url)).status).toBe(404)
})

test('after the deletion of the message its files are gone at once, and their bytes soon', async () => {
  const picture = await upload(alice, await photo())
  await processed(alice, picture)
  const { message } = await sendFiles(alice, group, [picture])
  const [file] = (await filesOf(bob, message.id)) ?? []
  const urls = [file?.url, ...(file?.variants.map(({ url }) => url) ?? [])]
  for (const url of urls) expect((await load(bob, url)).status).toBe(200)
  await alice.run(DeleteMessage, { input: { messageId: message.id } })
  for (const url of urls) expect((await load(bob, url)).status).toBe(404)
  expect(await filesOf(bob, message.id)).toEqual([])
  await until('the rows to be removed', async () => {
    const rows = await node.app.store.prisma.attachment.findMany({ where: { id: Number.parseInt(picture.slice(4), 36) } })
    return rows.length === 0
  })
})

test('after a removal no new URL is given, and an old one lasts to its end', async () => {
  const [carol] = (await signUpAll(node, 'Carol')) as [Device]
  const conversationId = await alice.group('Kicked', carol)
  const id = await upload(alice, textFile('before'))
  const log = await carol.events().live()
  const { message } = await sendFiles(alice, conversationId, [id])
  const { cursor } = await log.first('MessageSent')
  const [file] = (await filesOf(carol, message.id)) ?? []
  const late = await upload(alice, textFile('late'))
  await sendFiles(alice, conversationId, [late])
  await alice.run(RemoveMember, { input: { conversationId, userId: carol.userId } })
  await log.first('MemberLeft')
  expect((await load(carol, file?.url)).status).toBe(200)
  expect(await fileOf(carol, id)).toBeNull()
  // What she may still replay says that there was a file, and not where.
  const replay = new Replay(carol)
  const sent = await replay.after(cursor, 'MessageSent')
  expect(sent).toMatchObject({ message: { attachments: [{ id: late, url: null, urlExpiresAt: null }] } })
})

test('a file whose bytes are missing is not found, and the answer is not kept', async () => {
  const id = await upload(alice, textFile('lost'))
  const file = await fileOf(alice, id)
  const row = await node.app.store.prisma.attachment.findFirstOrThrow({
    where: { id: Number.parseInt(id.slice(4), 36) },
    include: { file: true },
  })
  await node.app.files.disk.remove(row.file.storageKey)
  const response = await load(alice, file?.url)
  expect([response.status, response.headers.get('cache-control'), response.headers.get('etag')]).toEqual([404, 'no-store', null])
})

/** Replays events with their files. */
class Replay {
  readonly #device: Device

  constructor(device: Device) {
    this.#device = device
  }

  /** The first event of a type after a cursor. */
  after(cursor: string, type: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const client = this.#device.socket()
      client.subscribe<{ events: { __typename: string } }>(
        { query: print(FileEvents), variables: { after: cursor } },
        {
          next: ({ data, errors }) => {
            if (errors) reject(new Error(JSON.stringify(errors)))
            if (data?.events.__typename !== type) return
            resolve(data.events)
            client.terminate()
          },
          error: reject,
          complete: () => undefined,
        },
      )
    })
  }
}
