// `changes`: every fact of the installation in order, to a consumer that resumes on any node; nothing is missed, nothing comes twice.

import { type GraphQLObjectType, getNamedType, isInterfaceType, isLeafType, isObjectType } from 'graphql'
import { beforeAll, expect, test } from 'vitest'
import { suspendUser } from '../../src/account/operator-actions.ts'
import { kindsByName } from '../../src/features.ts'
import { parseId } from '../../src/id.ts'
import { schema } from '../../src/schema.ts'
import * as people from '../account/documents.ts'
import { sendFiles, textFile, upload } from '../attachment/files.ts'
import * as groups from '../conversation/documents.ts'
import { bytes, commit, encryptedGroup, register } from '../encryption/support.ts'
import * as law from '../law/documents.ts'
import * as presence from '../presence/documents.ts'
import { SetPushSettings } from '../push/documents.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { Acknowledge, RemoveMember } from '../support/documents.ts'
import { connect, type Node, openNode, openPair } from '../support/node.ts'
import { until } from '../support/until.ts'
import { type Backend, deviceOf, openBackend, openBackendOf } from './backend.ts'
import { AcknowledgeChanges, ChangeConsumers, DeleteChangeConsumer } from './documents.ts'

type Change = { __typename: string; cursor: string; mode?: string; reason?: string; count?: number; [field: string]: unknown }

let here: Node
let there: Node
let alice: Device
let bob: Device
let backend: Backend

beforeAll(async () => {
  ;[here, there] = await openPair()
  ;[alice, bob] = (await signUpAll(here, 'Alice', 'Bob')) as [Device, Device]
  backend = await openBackend(here, 'CHANGES')
})

/** The scalar fields of a type that need no argument, and those of the objects in them. */
function selectionOf(type: GraphQLObjectType, depth: number): string {
  return Object.values(type.getFields())
    .filter(({ args }) => !args.some((arg) => String(arg.type).endsWith('!')))
    .flatMap((field) => {
      const named = getNamedType(field.type)
      if (isLeafType(named)) return [field.name]
      if (!isObjectType(named) || depth === 0 || named.name.endsWith('Connection')) return []
      return [`${field.name} { ${selectionOf(named, depth - 1)} }`]
    })
    .join(' ')
}

const eventType = schema.getType('Event')
if (!isInterfaceType(eventType)) throw new Error('there is no interface Event')
const eventTypes = schema.getPossibleTypes(eventType)
/** Selections of all fields of the events, a few types at a time: a document has at most 400 fields. */
const selections = Array.from({ length: Math.ceil(eventTypes.length / 4) }, (_, i) => {
  const fragments = eventTypes.slice(i * 4, i * 4 + 4).map((type) => `... on ${type.name} { ${selectionOf(type, 1)} }`)
  return `__typename cursor audienceUser { id } ... on MessageSent { message { id } } ${fragments.join(' ')}`
})
const few = `__typename cursor audienceUser { id } ... on SyncStarted { mode reason } ... on CaughtUp { count }
  ... on MessageSent { message { id text kind sender { id } } conversation { id title } }`

/** What a consumer receives, from its stored place or from a cursor. */
class Consumer {
  readonly seen: Change[] = []
  readonly errors: unknown[] = []
  #stop: () => void = () => undefined

  static open(at: Backend, consumer: string, after: string | null = null, selection = few): Consumer {
    const it = new Consumer()
    const client = at.socket(undefined)
    const query = `subscription C($consumer: String!, $after: Cursor) { changes(consumer: $consumer, after: $after) { ${selection} } }`
    it.#stop = client.subscribe<{ changes: Change }>(
      { query, variables: { consumer, after } },
      {
        next: ({ data, errors }) => {
          if (errors) it.errors.push(...errors)
          if (data?.changes) it.seen.push(data.changes)
        },
        error: (error) => void it.errors.push(error),
        complete: () => undefined,
      },
    )
    return it
  }

  get texts() {
    return this.seen.flatMap(({ message }) => (message ? [(message as { text: string }).text] : []))
  }

  get cursor(): string {
    return this.seen.at(-1)?.cursor ?? ''
  }

  live(): Promise<void> {
    return until('CaughtUp', () => this.seen.some(({ __typename }) => __typename === 'CaughtUp') || this.errors.length > 0)
  }

  text(text: string): Promise<void> {
    return until(`"${text}"`, () => this.texts.includes(text))
  }

  stop(): void {
    this.#stop()
  }
}

const acknowledge = async (consumer: string, cursor: string, by: Backend = backend) =>
  (await by.run(AcknowledgeChanges, { input: { consumer, cursor } })).acknowledgeChanges.changeConsumer

/** Something of each kind. */
async function doEverything(): Promise<void> {
  const [carol] = (await signUpAll(here, 'Carol')) as [Device]
  const group = await alice.group('Everything', bob, carol)
  const input = { conversationId: group }
  const log = await alice.events({ conversationId: group }).live()
  const { message, cursor } = await alice.send(group, 'one')
  await bob.run(Acknowledge, { input: { cursor } })
  await log.first('DeliveryMarkersMoved')
  log.stop()
  const messageId = message.id
  await alice.run(law.EditMessage, { input: { messageId, text: 'two' } })
  await bob.run(law.AddReaction, { input: { messageId, emoji: '👍' } })
  await alice.run(law.PinMessage, { input: { messageId } })
  await bob.run(law.HideMessage, { input: { messageId } })
  await bob.run(law.UnhideMessage, { input: { messageId } })
  await bob.run(law.SaveDraft, { input: { conversationId: group, text: 'begun' } })
  await bob.run(law.MarkRead, { input: { ...input, seq: 1 } })
  await sendFiles(alice, group, [await upload(alice, textFile())], 'with a file')
  await alice.run(law.DeleteMessage, { input: { messageId } })
  await alice.run(groups.UpdateConversation, { input: { ...input, title: 'Renamed' } })
  await alice.run(groups.CreateInvite, { input })
  await alice.run(groups.SetMemberRole, { input: { ...input, userId: bob.userId, role: 'ADMIN' } })
  await alice.run(groups.ArchiveConversation, { input: { ...input, archived: true } })
  await alice.run(RemoveMember, { input: { ...input, userId: carol.userId } })
  await alice.run(people.UpdateProfile, { input: { bio: 'everything' } })
  await alice.run(people.RequestContact, { input: { userId: carol.userId } })
  await alice.run(people.SetMessagePolicy, { input: { messagePolicy: 'CONTACTS' } })
  await alice.run(presence.SetPresenceMode, { input: { presenceMode: 'INVISIBLE' } })
  await alice.run(SetPushSettings, { input: { level: 'MENTIONS' } })
  await alice.direct(bob)
  await alice.run(people.BlockUser, { input: { userId: bob.userId } })
  await alice.run(people.UnblockUser, { input: { userId: bob.userId } })
  const deviceId = await register(bob)
  const secret = await encryptedGroup(alice, bob)
  await commit(bob, secret, 0, [{ deviceId, welcome: bytes() }])
  await suspendUser(parseId('User', carol.userId, ''), { reason: null, until: null }, here.app)
}

test('it shows every field of every kind of event, live and replayed, without an error', async () => {
  const open = (after: string | null, at: Backend) =>
    selections.map((selection, i) => Consumer.open(at, `everything ${i}`, after, selection))
  const live = open(null, backend)
  for (const consumer of live) await consumer.live()
  const start = live[0]?.cursor ?? ''
  await doEverything()
  const { message } = await alice.send(await alice.group('The end'), 'the end')
  const ended = async (consumers: readonly Consumer[]) => {
    for (const consumer of consumers) {
      await until('the end', () => JSON.stringify(consumer.seen).includes(message.id) || consumer.errors.length > 0)
      expect(consumer.errors).toEqual([])
    }
    const named = consumers.map(({ seen }) => seen.map(({ __typename, cursor }) => `${__typename} ${cursor}`))
    return named.map((names) => names.filter((name) => !/^(SyncStarted|CaughtUp|Tick)/.test(name)))
  }
  const [names, ...same] = [...(await ended(live)), ...(await ended(open(start, await openBackend(there, 'CHANGES'))))]
  for (const others of same) expect(others).toEqual(names)
  const seen = names?.map((name) => name.split(' ')[0]) ?? []
  // What follows from the facts themselves: each once, but one that goes to each of several users.
  const sql = await connect(here.databaseUrl)
  const { rows } = await sql.query<{ kind: number }>(
    `select kind from (select distinct on (tag, kind, subject_id, case when user_id is null then position end) position, kind from fact
       order by tag, kind, subject_id, case when user_id is null then position end, position) f order by position`,
  )
  const nameOf = new Map(Object.values(kindsByName).map(({ number, name }) => [number, name]))
  const expected = rows.map(({ kind }) => nameOf.get(kind)).filter((name) => name && schema.getType(name))
  expect(expected.slice(-seen.length)).toEqual(seen)
  const kinds = new Set(seen)
  const missing = eventTypes.map(({ name }) => name).filter((name) => !kinds.has(name))
  // Files are ready before they are sent here, and no device has push.
  const others = ['AttachmentChanged', 'CaughtUp', 'PushSubscriptionChanged', 'SyncStarted', 'Tick']
  expect(missing.toSorted()).toEqual(others)
})

test('a consumer that does not say where goes on from what it has acknowledged, on any node', async () => {
  const group = await alice.group('Resumed')
  const first = Consumer.open(backend, 'resuming')
  await first.live()
  expect(first.seen[0]).toMatchObject({ __typename: 'SyncStarted', mode: 'FRESH' })
  await alice.send(group, 'a')
  await alice.send(group, 'b')
  await first.text('b')
  const a = first.seen.find(({ message }) => (message as { text?: string } | undefined)?.text === 'a')?.cursor ?? ''
  const stored = await acknowledge('resuming', a)
  expect(stored).toMatchObject({ name: 'resuming', cursor: a, acknowledgedAt: expect.any(String) })
  expect(stored.behindBy).toBeGreaterThan(0)
  first.stop()
  await alice.send(group, 'c')
  const far = await openBackend(there, 'CHANGES')
  const second = Consumer.open(far, 'resuming')
  await second.text('c')
  expect(second.seen[0]).toMatchObject({ mode: 'RESUMED' })
  expect(second.texts).toEqual(['b', 'c'])
  await acknowledge('resuming', second.cursor, far)
  // It only moves forward.
  expect((await acknowledge('resuming', a)).cursor).toBe(second.cursor)
  await alice.send(group, 'd')
  await second.text('d')
  expect(second.texts).toEqual(['b', 'c', 'd'])
})

test('one that has never acknowledged misses nothing from its first subscription on', async () => {
  const first = Consumer.open(backend, 'crashes early')
  await first.live()
  first.stop()
  await alice.send(await alice.group('Missed'), 'while it was away')
  const second = Consumer.open(backend, 'crashes early')
  await second.text('while it was away')
  expect(second.seen[0]).toMatchObject({ mode: 'RESUMED' })
})

test('a thousand messages that come while it reads slowly come once each, in order', async () => {
  const group = await alice.group('Many')
  const consumer = Consumer.open(backend, 'many')
  await consumer.live()
  const texts = Array.from({ length: 1_000 }, (_, i) => `m${i}`)
  for (let i = 0; i < texts.length; i += 50) await Promise.all(texts.slice(i, i + 50).map((text) => alice.send(group, text)))
  await until('all of them', () => consumer.texts.length >= texts.length)
  expect(consumer.texts.toSorted()).toEqual(texts.toSorted())
  const late = Consumer.open(backend, 'many', consumer.seen[1]?.cursor ?? null)
  await until('all of them again', () => late.texts.length >= texts.length, 20_000)
  expect(late.texts).toEqual(consumer.texts)
})

test('an event for several users comes once, and names the first of them', async () => {
  const consumer = Consumer.open(backend, 'once')
  await consumer.live()
  await alice.group('For three', bob)
  await until('the joins', () => consumer.seen.filter(({ __typename }) => __typename === 'MemberJoined').length === 2)
  const added = consumer.seen.filter(({ __typename }) => __typename === 'ConversationAdded')
  expect(added.map(({ audienceUser }) => audienceUser)).toEqual([{ id: alice.userId }])
  // Also if it resumes between the facts of one append.
  const again = Consumer.open(backend, 'once', added[0]?.cursor ?? null)
  await until('the joins again', () => again.seen.filter(({ __typename }) => __typename === 'MemberJoined').length === 2)
  expect(again.seen.map(({ __typename }) => __typename)).not.toContain('ConversationAdded')
  expect(again.seen.find(({ __typename }) => __typename === 'MemberJoined')?.audienceUser).toBeNull()
})

test('a key for one tenant follows that tenant alone', async () => {
  const [red, blue] = [await openBackendOf('red', here, 'USERS', 'CHANGES'), await openBackendOf('blue', here, 'USERS')]
  const [rosa, bert] = [await deviceOf(red, { externalId: 'rosa' }), await deviceOf(blue, { externalId: 'bert' })]
  const consumer = Consumer.open(red, 'once')
  await consumer.live()
  expect(consumer.seen[0]).toMatchObject({ mode: 'FRESH' }) // its name is its tenant's own
  const [of, ofBlue] = [await rosa.group('Red'), await bert.group('Blue')]
  for (let i = 0; i < 300; i += 1) await bert.send(ofBlue, `blue ${i}`)
  await alice.send(await alice.group('None'), 'of none')
  await rosa.send(of, 'red')
  await consumer.text('red')
  const again = Consumer.open(red, 'from the beginning', consumer.seen[0]?.cursor ?? null)
  await again.text('red')
  for (const { texts, seen } of [consumer, again]) {
    expect(texts).toEqual(['red'])
    expect(new Set(seen.flatMap(({ audienceUser }) => (audienceUser ? [(audienceUser as { id: string }).id] : [])))).toEqual(
      new Set([rosa.userId]),
    )
  }
  expect((await red.run(ChangeConsumers, {})).changeConsumers.map(({ name }) => name)).toEqual(['from the beginning', 'once'])
})

test('a consumer whose place is no longer in the journal gets RESET with the reason, and goes on from what it then acknowledges', async () => {
  const node = await openNode()
  const own = await openBackend(node, 'CHANGES')
  const [dora] = (await signUpAll(node, 'Dora')) as [Device]
  const first = Consumer.open(own, 'reset')
  await first.live()
  await acknowledge('reset', first.cursor, own)
  await node.close()
  const sql = await connect(node.databaseUrl)
  await sql.query('update journal set epoch = gen_random_uuid()')
  const again = await openNode({ DATABASE_URL: node.databaseUrl })
  const after = await openBackend(again, 'CHANGES')
  const second = Consumer.open(after, 'reset')
  await second.live()
  expect(second.seen[0]).toMatchObject({ mode: 'RESET', reason: 'OTHER_EPOCH' })
  const old = { input: { consumer: 'reset', cursor: first.cursor } }
  expect((await after.refused(AcknowledgeChanges, old)).extensions).toMatchObject({
    code: 'CURSOR_REFUSED',
    argument: 'input.cursor',
  })
  await acknowledge('reset', second.cursor, after)
  dora.node = again
  await dora.send(await dora.group('After'), 'after')
  const third = Consumer.open(after, 'reset')
  await third.text('after')
  expect(third.seen[0]).toMatchObject({ mode: 'RESUMED' })
})

test('consumers are listed and deleted, at most a hundred; names and cursors are checked', async () => {
  const own = await openBackendOf('listing', here, 'CHANGES')
  const one = Consumer.open(own, ' one ')
  await one.live()
  expect((await own.run(ChangeConsumers, {})).changeConsumers).toMatchObject([{ name: 'one', behindBy: 0, acknowledgedAt: null }])
  const codeOf = async (consumer: string, cursor = one.cursor) =>
    (await own.refused(AcknowledgeChanges, { input: { consumer, cursor } })).extensions
  expect(await codeOf('two')).toMatchObject({ code: 'NOT_FOUND' })
  expect(await codeOf('')).toMatchObject({ code: 'BAD_INPUT', argument: 'input.consumer' })
  expect(await codeOf('one', 'x')).toMatchObject({ code: 'BAD_INPUT', argument: 'input.cursor' })
  await own.run(DeleteChangeConsumer, { input: { consumer: 'one' } })
  expect((await own.run(ChangeConsumers, {})).changeConsumers).toEqual([])
  const sql = await connect(here.databaseUrl)
  await sql.query(`insert into change_consumer(tenant, name, epoch_key, position, tag)
    select 'listing', 'c' || i, '0', 0, 0 from generate_series(1, 100) i`)
  const extra = Consumer.open(own, 'one too many')
  await until('the refusal', () => extra.errors.length > 0)
  expect(JSON.stringify(extra.errors)).toContain('LIMIT_EXCEEDED')
  const bare = Consumer.open(await openBackend(here, 'ACT'), 'x')
  await until('the refusal', () => bare.errors.length > 0)
  expect(JSON.stringify(bare.errors)).toContain('FORBIDDEN')
})
