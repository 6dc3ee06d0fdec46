// Files that nothing uses go, also after a crash in between; those in use stay.

import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { DeleteAccount } from '../account/documents.ts'
import { DeleteMessage } from '../law/documents.ts'
import { type Device, password, signUpAll } from '../support/device.ts'
import { connect, createDatabase, type Node, openNode } from '../support/node.ts'
import { until } from '../support/until.ts'
import { SendFiles } from './documents.ts'
import { begin, fileOf, photo, processed, sendFiles, textFile, upload } from './files.ts'
import { localFile } from './store.ts'

let databaseUrl: string
let node: Node
let sql: pg.Client
let alice: Device
let bob: Device

beforeAll(async () => {
  databaseUrl = await createDatabase()
  node = await openNode({ DATABASE_URL: databaseUrl })
  sql = await connect(databaseUrl)
  ;[alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
})

const numberOf = (id: string) => Number.parseInt(id.slice(4), 36)
/** Makes attachments as old as if nothing had used them for a day. */
const expire = (...ids: readonly string[]) =>
  sql.query("update attachment set expires_at = now() - interval '1 s' where id = any($1) and expires_at is not null", [
    ids.map(numberOf),
  ])
const keyOf = async (id: string) => {
  const { rows } = await sql.query<{ key: string }>(
    'select storage_key as key from stored_file f join attachment a on a.file_id = f.id where a.id = $1',
    [numberOf(id)],
  )
  return rows[0]?.key ?? null
}
const isLeft = async (id: string) => (await keyOf(id)) !== null
/** A node that starts sweeps. */
async function sweep(): Promise<void> {
  const other = await openNode({ DATABASE_URL: databaseUrl })
  await until('the sweep', async () => {
    const { rows } = await sql.query(
      "select 1 from attachment where expires_at < now() union all select 1 from stored_file where state = 'REMOVING' and emptied_at is null union all select 1 from message_attachment where removed_at is not null",
    )
    return rows.length === 0
  })
  await other.close()
}

test('uploads that were not finished, or not used, go after a day with their bytes', async () => {
  const direct = await alice.direct(bob)
  const { attachment: unfinished } = await begin(alice, textFile())
  const unused = await upload(alice, textFile())
  const used = await upload(alice, textFile())
  await sendFiles(alice, direct, [used])
  const [unusedKey, usedKey] = [await keyOf(unused), await keyOf(used)]
  await expire(unfinished.id, unused, used)
  await sweep()
  expect([await isLeft(unfinished.id), await isLeft(unused), await isLeft(used)]).toEqual([false, false, true])
  expect(await node.app.files.disk.sizeOf(`${unusedKey}/file`)).toBeNull()
  expect(await node.app.files.disk.sizeOf(`${usedKey}/file`)).toBeGreaterThan(0)
})

test('an attachment that is just being sent does not go', async () => {
  const direct = await alice.direct(bob)
  const id = await upload(alice, textFile())
  await sql.query("update attachment set expires_at = now() + interval '1 s' where id = $1", [numberOf(id)])
  // A send that is refused has still kept it for longer.
  const stranger = {
    conversationId: direct,
    clientMessageId: randomUUID(),
    text: '',
    attachmentIds: [id],
    replyToId: 'msg_0000000000001',
  }
  await alice.refused(SendFiles, { input: stranger })
  const { rows } = await sql.query<{ left: number }>(
    'select extract(epoch from expires_at - now()) as left from attachment where id = $1',
    [numberOf(id)],
  )
  expect(Number(rows[0]?.left)).toBeGreaterThan(3_000)
})

test('what a crash left of a deletion is removed by the next node', async () => {
  const direct = await alice.direct(bob)
  const id = await upload(alice, await photo())
  await processed(alice, id)
  const key = await keyOf(id)
  const { message } = await sendFiles(alice, direct, [id])
  // As after a crash right after the commit of the deletion, and as after one between the rows and the bytes.
  await sql.query('begin')
  await sql.query('select pg_advisory_xact_lock(7021, 1)')
  await sql.query('update message_attachment set removed_at = now() where message_id = $1', [numberOf(message.id)])
  await sql.query('commit')
  await sweep()
  await until('its bytes to go', async () => (await node.app.files.disk.sizeOf(`${key}/picture`)) === null)
  expect(await isLeft(id)).toBe(false)
  const { rows } = await sql.query('select 1 from message_attachment where attachment_id = $1', [numberOf(id)])
  expect(rows).toEqual([])
})

test('the row of a removed file stays until no client and no job can write its bytes, and then they are removed once more', async () => {
  const [early, working] = [await upload(alice, textFile()), await upload(alice, textFile())]
  const keys = [(await keyOf(early)) ?? '', (await keyOf(working)) ?? '']
  const [object, other] = keys.map((key) => `${key}/file`) as [string, string]
  const rowsLeft = async () => {
    const { rows } = await sql.query<{ key: string }>(
      'select storage_key as key from stored_file where storage_key = any($1) order by id',
      [keys],
    )
    return rows.map(({ key }) => key)
  }
  // The second is being processed by a node that is slow.
  await sql.query(
    `select graphile_worker.add_job('file_process', '{}', job_key := 'file_process:' || id, run_at := now() + interval '1 day')
       from stored_file where storage_key = $1`,
    [keys[1]],
  )
  await expire(early, working)
  await sweep()
  const { disk } = node.app.files
  expect([await disk.sizeOf(object), await disk.sizeOf(other)]).toEqual([null, null])
  expect(await rowsLeft()).toEqual(keys)
  // A request that was under way, and the job, write after that.
  for (const late of [object, other]) await disk.write(late, await localFile('late'), 'text/plain')
  await sql.query("update stored_file set upload_until = now() - interval '1 s' where storage_key = any($1)", [keys])
  const first = await openNode({ DATABASE_URL: databaseUrl })
  await until('the first row to go', async () => (await rowsLeft()).length === 1)
  await first.close()
  expect(await rowsLeft()).toEqual([keys[1]])
  expect([await disk.sizeOf(object), await disk.sizeOf(other)]).toEqual([null, 4])
  await sql.query("select graphile_worker.remove_job('file_process:' || id) from stored_file where storage_key = $1", [keys[1]])
  const second = await openNode({ DATABASE_URL: databaseUrl })
  await until('the second row to go', async () => (await rowsLeft()).length === 0)
  await second.close()
  expect(await disk.sizeOf(other)).toBeNull()
})

test("a removed file does not count in its owner's quota, although its row stays", async () => {
  const small = await openNode({ PARLEY_FILE_BYTES_PER_USER_MAX: '1500' })
  const [dan] = (await signUpAll(small, 'Dan')) as [Device]
  const [erin] = (await signUpAll(small, 'Erin')) as [Device]
  const direct = await dan.direct(erin)
  const { message } = await sendFiles(dan, direct, [await upload(dan, textFile('x'.repeat(1_000)))])
  await expect(begin(dan, textFile('x'.repeat(1_000)))).rejects.toThrow('STORAGE_FULL')
  await dan.run(DeleteMessage, { input: { messageId: message.id } })
  await until('the room to be free', () =>
    begin(dan, textFile('x'.repeat(1_000))).then(
      () => true,
      () => false,
    ),
  )
})

test('two references to a file keep it until the last is gone', async () => {
  const id = await upload(alice, textFile('shared'))
  const key = await keyOf(id)
  await sql.query(
    `insert into attachment(file_id, owner_id, purpose, file_name, expires_at)
       select file_id, owner_id, purpose, 'copy.txt', null from attachment where id = $1`,
    [numberOf(id)],
  )
  await expire(id)
  await sweep()
  expect(await isLeft(id)).toBe(false)
  expect(await node.app.files.disk.sizeOf(`${key}/file`)).toBeGreaterThan(0)
})

test("a deleted account loses its unused uploads and keeps what it has sent, which is others' too", async () => {
  const [carol] = (await signUpAll(node, 'Carol')) as [Device]
  const direct = await carol.direct(bob)
  const [unused, sent] = [await upload(carol, textFile()), await upload(carol, textFile())]
  await sendFiles(carol, direct, [sent])
  await carol.run(DeleteAccount, { input: { password } })
  await sweep()
  expect([await isLeft(unused), await isLeft(sent)]).toEqual([false, true])
  expect(await fileOf(bob, sent)).toMatchObject({ state: 'READY' })
})

test('a picture that waited for a node that died is made by the next one', async () => {
  const id = await upload(alice, textFile())
  await sql.query("update stored_file set state = 'PROCESSING' where storage_key = $1", [await keyOf(id)])
  await sql.query(
    "select graphile_worker.add_job('file_process', json_build_object('fileId', (select file_id from attachment where id = $1)))",
    [numberOf(id)],
  )
  const other = await openNode({ DATABASE_URL: databaseUrl })
  expect(await processed(alice, id)).toMatchObject({ state: 'READY' })
  await other.close()
})
