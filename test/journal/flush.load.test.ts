// Flush after unlock (B1): an append is visible before it is on disk. Postgres is killed while its disk is slow or stands
// still, and what was visible is undone; nothing of that may have been answered, published, delivered or remembered.

import { randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { beforeAll, expect, inject, test, vi } from 'vitest'
import { conversationKinds } from '../../src/conversation/events.ts'
import { parseId, positionOf } from '../../src/id.ts'
import { parseBatch } from '../../src/journal/batch.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Place } from '../../src/journal/fact.ts'
import { Address, Cluster } from '../support/cluster.ts'
import { type Device, signUpAll } from '../support/device.ts'
import { AddMembers, Snapshot } from '../support/documents.ts'
import type { EventLog } from '../support/event-log.ts'
import { closeAtEnd, type Node, openNode } from '../support/node.ts'
import { canBeSlow, type SlowDisk, slowDisk } from '../support/slow-disk.ts'
import { unsealed } from '../support/topic.ts'
import { quiet } from './pair.ts'
import { appendSend, eventually, input } from './setup.ts'

const limit = 120_000
/** A disk that stands still. */
const foreverMs = 600_000
const hasCompiler = await canBeSlow()

/** Three nodes on a Postgres with a slow disk: two that share a Redis, and one that learns everything from Postgres. */
type CrashSetup = {
  readonly disk: SlowDisk
  readonly cluster: Cluster
  readonly address: Address
  readonly nodes: readonly [Node, Node, Node]
  readonly alice: Device
  readonly bob: Device
  readonly carol: Device
  readonly conversationId: string
  /** Bob's devices, one on each node. */
  readonly listeners: readonly Listening[]
}

/** A device that keeps a stream open and resumes where it left off. */
class Listening {
  readonly device: Device
  readonly #logs: EventLog[]

  private constructor(device: Device, log: EventLog) {
    this.device = device
    this.#logs = [log]
  }

  static async begin(device: Device): Promise<Listening> {
    return new Listening(device, await device.events().live())
  }

  get log(): EventLog {
    const log = this.#logs.at(-1)
    if (!log) throw new Error('there is one')
    return log
  }

  get texts(): string[] {
    return this.#logs.flatMap((log) => log.texts)
  }

  /** Resumes where the stream ended: what it delivered must still exist, so it is not reset. */
  async resume(): Promise<void> {
    while (this.log.ended) {
      const after = this.#logs.findLast((log) => log.seen.length > 0)?.cursor ?? ''
      const log = this.device.events({ after })
      await log.until('a beginning, or an end', ({ seen, ended }) => ended !== null || seen.length > 0)
      if (log.seen[0]) expect(log.seen[0]).toMatchObject({ mode: 'RESUMED' })
      this.#logs.push(log)
    }
  }
}

let setup: CrashSetup

beforeAll(async () => {
  if (!hasCompiler) return
  const directory = await mkdtemp(path.join(tmpdir(), 'parley-slow-'))
  closeAtEnd(() => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  const disk = await slowDisk(directory)
  const cluster = await Cluster.create(disk)
  const address = await Address.open(cluster)
  const alone = { ...quiet, DATABASE_URL: address.url }
  const shared = { ...alone, REDIS_URL: inject('redisUrl') }
  const nodes = [await openNode(shared), await openNode(shared), await openNode(alone)] as const
  const [alice, bob, carol] = (await signUpAll(nodes[0], 'Alice', 'Bob', 'Carol')) as [Device, Device, Device]
  const conversationId = await alice.group('Talk', bob)
  const listeners: Listening[] = []
  for (const node of nodes) listeners.push(await Listening.begin(await bob.another(node)))
  setup = { disk, cluster, address, nodes, alice, bob, carol, conversationId, listeners }
}, limit)

/** Postgres loses its power, and comes back on a fast disk. */
async function crash({ disk, cluster, address }: CrashSetup): Promise<void> {
  await cluster.kill()
  disk.setDelay(0)
  await cluster.start()
  address.lead(cluster)
}

/** A connection that does not wait for any flush. */
async function onlooker({ cluster }: CrashSetup): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cluster.url })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** The tags of all facts, by position. */
async function readPlaces(setup: CrashSetup): Promise<Map<number, number>> {
  const client = await onlooker(setup)
  const { rows } = await client.query<{ position: string; tag: number }>('select position, tag from fact')
  await client.end()
  return new Map(rows.map(({ position, tag }) => [Number(position), tag]))
}

/** Reads the last fact repeatedly, without a flush; returns the one it saw last before the connection broke. */
async function watchHead(setup: CrashSetup): Promise<Place> {
  const client = await onlooker(setup)
  let last = { position: positionOf(0), tag: 0 }
  for (;;) {
    const rows = await client.query('select position, tag from fact order by position desc limit 1').then(
      (result) => result.rows,
      () => null,
    )
    if (!rows) return last
    last = { position: positionOf(rows[0].position), tag: rows[0].tag }
  }
}

test.skipIf(!hasCompiler)(
  'B1 D1 D3 D4 after each crash of Postgres everything answered, published, followed or given as a cursor still exists, although others saw facts that do not',
  async () => {
    const { disk, nodes, alice, bob, conversationId, listeners } = setup
    const [conversation, actor] = [parseId('Conversation', conversationId, ''), parseId('User', alice.userId, '')]
    const told = { followed: [] as Place[], cursors: [] as Place[], published: [] as Place[], answered: [] as Place[] }
    // The disk stands still from the first announcement of one kind on: what is not on it then is lost.
    let stopAt: string | null = null
    const tell = (how: keyof typeof told, ...places: readonly Place[]) => {
      if (stopAt === how) {
        disk.setDelay(foreverMs)
        stopAt = null
      }
      told[how].push(...places)
    }
    for (const node of nodes) {
      node.app.journal.onFact((fact) => (node === nodes[2] ? tell('followed', fact) : told.followed.push(fact)))
    }
    const listener = new Redis(inject('redisUrl'))
    closeAtEnd(async () => listener.disconnect())
    listener.on('message', (_topic, message) => tell('published', ...(parseBatch(unsealed(message))?.facts ?? [])))
    await listener.subscribe(nodes[0].app.journal.topic('facts'))

    let isOver = false
    const sent: string[] = []
    const people = [actor, parseId('User', bob.userId, '')]
    const send = async (node: Node, who: number) => {
      while (!isOver) {
        const send = input(conversation, who, randomUUID())
        const outcome = await appendSend(node, send).catch(() => null)
        if (outcome) sent.push(send.text)
        if (outcome?.status === 'SENT') tell('answered', outcome.place)
      }
    }
    const write = async (node: Node) => {
      const fact = {
        kind: conversationKinds.MemberUpdated.number,
        conversation_id: conversation,
        actor_id: actor,
        subject_id: actor,
      }
      while (!isOver) {
        const written = await node.app.journal.writing(async () => ({ result: null, facts: [fact] })).catch(() => null)
        if (written?.place) tell('answered', written.place)
      }
    }
    const snap = async (device: Device) => {
      while (!isOver) {
        const snapshot = await device.run(Snapshot, {}).catch(() => null)
        if (snapshot) tell('cursors', parseCursor(snapshot.syncCursor, ''))
      }
    }
    const snappers = await Promise.all(nodes.map((node) => bob.another(node)))
    const running = [...nodes.flatMap((node) => [...people.map((who) => send(node, who)), write(node)]), ...snappers.map(snap)]

    let takenBack = 0
    try {
      for (const how of [...Object.keys(told), ...Object.keys(told)]) {
        disk.setDelay(60)
        const watching = watchHead(setup)
        const counts = () => Object.values(told).map((places) => places.length)
        const before = counts()
        await eventually('work to go on', () => counts().every((count, i) => count > (before[i] ?? 0) + 5))
        stopAt = how
        await eventually(`something to be ${how}`, () => stopAt === null)
        await crash(setup)
        const sofar = Object.entries(told).map(([how, given]) => [how, [...given]] as const)
        const [places, seen] = [await readPlaces(setup), await watching]
        for (const [kind, given] of sofar) {
          const missing = given.filter(({ position, tag }) => places.get(position) !== tag)
          expect(missing, `${kind} and gone after the crash at: ${how}`).toEqual([])
        }
        if (places.get(seen.position) !== seen.tag) takenBack += 1
        for (const listening of listeners) await listening.resume()
      }
    } finally {
      isOver = true
      await Promise.all(running)
    }
    // Otherwise Postgres lost nothing, and the test proves nothing.
    expect(takenBack).toBeGreaterThan(0)
    expect(told.published.length).toBeGreaterThan(100)
    await alice.send(conversationId, 'the end')
    for (const listening of listeners) {
      await listening.resume()
      await listening.log.text('the end')
      expect(listening.texts).toEqual(listeners[0]?.texts)
      expect(new Set(listening.texts).size).toBe(listening.texts.length)
      expect(sent.filter((text) => !listening.texts.includes(text))).toEqual([])
    }
  },
  limit,
)

test.skipIf(!hasCompiler)(
  'B1 D6 a visible join that is undone lets its user receive nothing',
  async () => {
    const { disk, nodes, alice, bob, carol, conversationId } = setup
    const [conversation, actor] = [parseId('Conversation', conversationId, ''), parseId('User', alice.userId, '')]
    const carolThere = await carol.another(nodes[1])
    const client = await onlooker(setup)
    const has = async (text: string, ...values: unknown[]) => ((await client.query(text, values)).rowCount ?? 0) > 0
    disk.setDelay(foreverMs)
    // A flush that does not end: what is written after it exists in memory only.
    const first = appendSend(nodes[0], input(conversation, actor, 'the last one on the disk'))
    await eventually('a flush to stand', () => has(`select 1 from pg_stat_activity where wait_event = 'WalSync'`))
    const adding = alice.run(AddMembers, { input: { conversationId, userIds: [carol.userId] } }).catch(() => null)
    const audience = 'select 1 from audience where conversation_id = $1 and user_id = $2'
    await eventually('the join to be visible', () => has(audience, conversation, parseId('User', carol.userId, '')))
    const flush = vi.spyOn(nodes[1].app.store, 'flush')
    const hasty = carolThere.events()
    await eventually('the stream to be asked for', () => flush.mock.calls.length > 0 || hasty.seen.length > 0)
    flush.mockRestore()
    let doubts = 0
    nodes[1].app.journal.onRestart(() => {
      doubts += 1
    })
    await crash(setup)
    await eventually('the node to forget what it read before', () => doubts > 0)

    expect(await adding).toBeNull()
    await first
    await alice.send(conversationId, 'not for Carol')
    const later = await carolThere.events().live()
    await alice.send(conversationId, 'nor this')
    await bob.send(await bob.direct(carol), 'for Carol')
    await later.text('for Carol')
    expect(later.texts).toEqual(['for Carol'])
    await hasty.until(
      'the message, or its end',
      (log) => log.texts.includes('for Carol') || log.ended !== null || log.errors.length > 0,
    )
    expect(hasty.texts.filter((text) => text !== 'for Carol')).toEqual([])
  },
  limit,
)
