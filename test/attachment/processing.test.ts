// What becomes of a file: pictures are turned upright and lose what they say about their owner, and every device hears of it.

import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import sharp from 'sharp'
import { beforeAll, expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { fileOf, load, photo, processed, resolved, sendFiles, textFile, upload } from './files.ts'

let here: Node
let there: Node
let alice: Device
let bob: Device
let group: string

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  group = await alice.group('Files', bob)
})

const bytesOf = async (device: Device, url: string | null | undefined) =>
  Buffer.from(await (await load(device, url)).arrayBuffer())

test('a photo comes upright, without what it says about its owner, in several sizes', async () => {
  const taken = await photo()
  expect((await sharp(taken.bytes).metadata()).exif?.toString('latin1')).toContain('Parley Camera')
  const file = await processed(alice, await upload(alice, taken))
  expect(file).toMatchObject({ state: 'READY', kind: 'IMAGE', contentType: 'image/jpeg', width: 640, height: 480 })
  const shown = await bytesOf(alice, file.url)
  expect(shown.length).toBe(file.byteSize)
  const { width, height, exif, orientation } = await sharp(shown).metadata()
  expect({ width, height, exif, orientation }).toEqual({ width: 640, height: 480, exif: undefined, orientation: undefined })
  expect(file.variants).toMatchObject([{ width: 320, height: 240, contentType: 'image/webp' }])
  const small = await load(alice, file.variants[0]?.url)
  expect(small.headers.get('content-type')).toBe('image/webp')
  expect(small.headers.get('content-disposition')).toMatch(/^inline; filename="holiday\.webp"/)
  expect((await sharp(Buffer.from(await small.arrayBuffer())).metadata()).width).toBe(320)
  expect(Buffer.from(file.thumbhash ?? '', 'base64').length).toBeGreaterThan(15)
})

test('the original of a photo, with its metadata, is not kept', async () => {
  const id = await upload(alice, await photo())
  await processed(alice, id)
  const row = await here.app.store.prisma.attachment.findFirstOrThrow({
    where: { id: Number.parseInt(id.slice(4), 36) },
    include: { file: true },
  })
  const { disk } = here.app.files
  await expect.poll(() => disk.uploadedSize(row.file.storageKey)).toBeNull()
  expect(await disk.sizeOf(`${row.file.storageKey}/picture`)).toBeGreaterThan(0)
})

test('a message is shown at once, and every device hears when its picture is ready', async () => {
  const far = await bob.another(there)
  const log = await far.events().live()
  const id = await upload(alice, await photo())
  const { message } = await sendFiles(alice, group, [id])
  expect(message.attachments).toMatchObject([{ id, message: { id: message.id } }])
  await processed(alice, id)
  const changed = await log.first('AttachmentChanged')
  const [file] = changed.message.attachments
  expect(changed.message.id).toBe(message.id)
  expect(file).toMatchObject({ id, state: 'READY' })
  expect(file?.thumbhash).toBe((await fileOf(alice, id))?.thumbhash)
  expect((await load(far, file?.url)).status).toBe(200)
})

test.each([
  ['a damaged picture', 'image/jpeg', async () => Buffer.concat([(await photo()).bytes.subarray(0, 400), randomBytes(400)])],
  ['a bomb of too many pixels', 'image/png', () => pngOf(10_001, 10_000)],
  ['a beginning of a picture', 'image/png', async () => (await pngOf(10, 10)).subarray(0, 60)],
])('%s fails, has no URL, and cannot be sent', async (_what, type, make) => {
  const id = await upload(alice, { name: 'x', type, bytes: await make() })
  expect(await processed(alice, id)).toMatchObject({ state: 'FAILED', url: null, variants: [] })
  await expect(sendFiles(alice, group, [id])).rejects.toThrow('FILE_REFUSED')
  // The node is well: the next picture is made.
  expect(await processed(alice, await upload(alice, await photo()))).toMatchObject({ state: 'READY' })
})

/** A PNG of one colour. */
const pngOf = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#fff' }, limitInputPixels: false })
    .png({ compressionLevel: 9 })
    .toBuffer()

test('a picture that claims to be something else is a picture', async () => {
  const { bytes } = await photo()
  const id = await upload(alice, { name: 'letter.pdf', type: 'application/pdf', bytes })
  expect(await processed(alice, id)).toMatchObject({ kind: 'IMAGE', contentType: 'image/jpeg', fileName: 'letter.pdf' })
})

test('a polyglot of picture and page is only ever sent as the picture that it decodes to', async () => {
  const page = Buffer.from('<script>alert(1)</script>')
  const id = await upload(alice, { name: 'p.gif', type: 'image/gif', bytes: Buffer.concat([await gif(), page]) })
  const file = await processed(alice, id)
  expect(file).toMatchObject({ kind: 'IMAGE', contentType: 'image/gif' })
  expect((await bytesOf(alice, file.url)).includes(page)).toBe(false)
})

const gif = () =>
  sharp({ create: { width: 20, height: 20, channels: 3, background: '#123' } })
    .gif()
    .toBuffer()

test('a sound says how long it is', async () => {
  const id = await upload(alice, { name: 'memo.wav', type: 'audio/wav', bytes: silence(3) })
  expect(await processed(alice, id)).toMatchObject({ kind: 'AUDIO', contentType: 'audio/wav', durationMs: 3_000, state: 'READY' })
  const response = await load(alice, (await fileOf(alice, id))?.url)
  expect(response.headers.get('content-type')).toBe('audio/wav')
  expect(response.headers.get('content-disposition')).toMatch(/^inline/)
})

/** A WAV of silence, 8,000 samples a second of one byte. */
function silence(seconds: number): Buffer {
  const size = 8_000 * seconds
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + size, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8_000, 24)
  head.writeUInt32LE(8_000, 28)
  head.writeUInt16LE(1, 32)
  head.writeUInt16LE(8, 34)
  head.write('data', 36)
  head.writeUInt32LE(size, 40)
  return Buffer.concat([head, Buffer.alloc(size, 128)])
}

test('a file is not shown before the scan has released it', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-scan-'))
  const command = path.join(directory, 'scan')
  await writeFile(command, '#!/bin/sh\n[ "$1" = --quiet ] || exit 2\nif grep -q EICAR "$2"; then exit 1; fi\n')
  await chmod(command, 0o755)
  const scanning = await openNode({ PARLEY_SCAN_COMMAND: `${command} --quiet` })
  const [carol] = (await signUpAll(scanning, 'Carol')) as [Device]
  const [clean, evil] = [await upload(carol, textFile('clean')), await upload(carol, textFile('EICAR'))]
  expect(await processed(carol, clean)).toMatchObject({ state: 'READY', kind: 'FILE' })
  const refused = await processed(carol, evil)
  expect(refused).toMatchObject({ state: 'FAILED', url: null })
  expect(resolved(carol, '/files/')).toContain('/files/')
})

test('however often a scanner was away, a file waits for seconds only', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-scan-'))
  const [command, isBack] = [path.join(directory, 'scan'), path.join(directory, 'back')]
  await writeFile(command, `#!/bin/sh\n[ -e ${isBack} ] || exit 2\n`)
  await chmod(command, 0o755)
  const scanning = await openNode({ PARLEY_SCAN_COMMAND: command })
  const [dave] = (await signUpAll(scanning, 'Dave')) as [Device]
  const id = await upload(dave, textFile('patience'))
  const sql = await connect(scanning.databaseUrl)
  const waits = async () => {
    const { rows } = await sql.query<{ attempts: number; wait: number }>(
      `select attempts, extract(epoch from run_at - now())::float8 as wait from graphile_worker.jobs
        where task_identifier = 'file_process' and locked_at is null and run_at > now()`,
    )
    return rows[0] ?? null
  }
  for (let n = 0; n < 8; n += 1) {
    await until('the job to be postponed', async () => (await waits()) !== null)
    expect(await waits()).toMatchObject({ attempts: 0 })
    expect((await waits())?.wait).toBeLessThanOrEqual(20)
    // Instead of waiting.
    await sql.query("select graphile_worker.add_job('file_process', payload, job_key := key) from graphile_worker._private_jobs")
  }
  await writeFile(isBack, '')
  expect(await processed(dave, id)).toMatchObject({ state: 'READY' })
})

test('however often its job has failed, a file waits for seconds only after Postgres has cut it off', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-scan-'))
  const [command, mayGoOn] = [path.join(directory, 'scan'), path.join(directory, 'go')]
  await writeFile(command, `#!/bin/sh\nwhile [ ! -e ${mayGoOn} ]; do sleep 0.05; done\n`)
  await chmod(command, 0o755)
  const scanning = await openNode({ PARLEY_SCAN_COMMAND: command })
  const [erin] = (await signUpAll(scanning, 'Erin')) as [Device]
  const [sql, holder] = [await connect(scanning.databaseUrl), await connect(scanning.databaseUrl)]
  const id = await upload(erin, textFile('cut off'))
  const failedBefore = 'update graphile_worker._private_jobs set attempts = 10 where locked_at is not null'
  await until('the job to begin', async () => (await sql.query(failedBefore)).rowCount === 1)
  await holder.query(
    'set idle_in_transaction_session_timeout = 0; set transaction_timeout = 0; begin; select 1 from stored_file for update',
  )
  await writeFile(mayGoOn, '')
  const cutOff = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%update stored_file%'`
  await until('its write to be cut off', async () => (await sql.query(cutOff)).rowCount === 1)
  await holder.query('rollback')
  const waiting = `select extract(epoch from run_at - now())::float8 as wait from graphile_worker._private_jobs
    where locked_at is null and run_at > now()`
  let wait = Number.POSITIVE_INFINITY
  await until('the next attempt', async () => {
    const [row] = (await sql.query<{ wait: number }>(waiting)).rows
    wait = row?.wait ?? wait
    return row !== undefined
  })
  expect(wait).toBeLessThanOrEqual(20)
  // Instead of waiting.
  await sql.query(
    "select graphile_worker.add_job('file_process', payload, job_key := key) from graphile_worker._private_jobs where key is not null",
  )
  expect(await processed(erin, id)).toMatchObject({ state: 'READY' })
})
