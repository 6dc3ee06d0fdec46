// The recent log gives back what was put in, and the bytes that it counts cover the memory that it takes, so that its limit holds.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { factKinds } from '../../src/features.ts'
import { conversationIdOf, type Position, positionOf } from '../../src/id.ts'
import type { Fact } from '../../src/journal/fact.ts'
import { RecentLog } from '../../src/journal/recent-log.ts'
import { messageKinds } from '../../src/message/events.ts'
import type { MessageRow } from '../../src/message/row.ts'
import { type Random, withSeed } from '../support/random.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The memory once collection frees nothing more: garbage of loading the modules takes several rounds. */
function memory(): { heap: number; outside: number } {
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    if (before - heapUsed < 10_000) return { heap: heapUsed, outside: arrayBuffers }
    before = heapUsed
  }
}

type Made = { readonly kind: number; readonly payload: unknown; readonly text: string | null; readonly mentions: number }

/** A fact and its message as they arrive over the bus. */
function make(position: number, { kind, payload, text, mentions }: Made): { fact: Fact; rows: MessageRow[] } {
  const ids = { conversationId: 55, userId: null, actorId: 12_345, subjectId: text === null ? 12 : position }
  const fact = { position, tag: 123_456_789, occurredAt: 1_795_891_984_063, kind, ...ids, audienceChange: 0, payload }
  const row = {
    ...{ id: position, conversationId: 55, seq: position, senderId: 12_345, text: `${position}${text}` },
    ...{ clientMessageId: `0199f3a0-0000-7000-8000-${String(position).padStart(12, '0')}`, createdAt: 1_795_891_984_063 },
    ...{ version: 1, editedAt: null, deletedAt: null, replyToId: null },
    mentionedUserIds: Array.from({ length: mentions }, (_, i) => 1_000_000 + i),
    isNew: true,
  }
  return JSON.parse(JSON.stringify({ fact, rows: text === null ? [] : [row] }))
}

const markers = (count: number) => ({ seq: 1, markers: Array.from({ length: count }, (_, i) => ({ userId: 1_000 + i, seq: i })) })

test.each([
  ['short messages', { kind: messageKinds.MessageSent.number, payload: null, text: 'hello', mentions: 0 }],
  [
    'long messages in a non-Latin script',
    { kind: messageKinds.MessageSent.number, payload: null, text: '\ud55c'.repeat(500), mentions: 0 },
  ],
  ['messages that mention a hundred', { kind: messageKinds.MessageSent.number, payload: null, text: 'all', mentions: 100 }],
  ['a read marker each', { kind: messageKinds.ReadMarkersMoved.number, payload: markers(1), text: null, mentions: 0 }],
  ['a hundred read markers each', { kind: messageKinds.ReadMarkersMoved.number, payload: markers(100), text: null, mentions: 0 }],
] as const)('B11 the recent log counts at least what it takes: %s', (_what, made) => {
  const before = memory()
  const recentLog = new RecentLog(
    { position: positionOf(0), tag: 1 },
    { factsMax: 10_000, bytesMax: 1e12, reachMax: 10_000 },
    factKinds,
  )
  for (let position = 1; position <= 10_000; position += 1) {
    const { fact, rows } = make(position, made)
    recentLog.append([fact], rows)
  }
  const after = memory()
  const heap = after.heap - before.heap
  const taken = heap + after.outside - before.outside
  expect(recentLog.size).toBe(10_000)
  expect(heap / taken).toBeLessThan(0.25)
  // Code that is compiled meanwhile takes some of the heap too.
  expect(recentLog.bytes / taken).toBeGreaterThan(0.85)
  expect(recentLog.bytes / taken).toBeLessThan(2.5)
})

const kinds = [messageKinds.MessageSent, messageKinds.MessageEdited, messageKinds.ReadMarkersMoved] as const

/** A fact at a position, perhaps with the row that it names: a new one or one of before. */
function draw(random: Random, position: Position): { fact: Fact; row: MessageRow | undefined } {
  const kind = random.one(kinds)
  const text = random.one([
    '',
    'hello',
    '\ud83d\ude00\ud800',
    'x'.repeat(random.whole(0, 5_000)),
    '\ud55c'.repeat(random.chance(0.01) ? 300_000 : 9),
  ])
  const isRowless = random.chance(0.2)
  const { fact, rows } = make(position, {
    kind: kind.number,
    payload: random.one([null, markers(3)]),
    text,
    mentions: random.whole(0, 3),
  })
  const id = kind === messageKinds.MessageEdited ? random.whole(1, position) : position
  const address = random.one([
    { conversationId: 55, userId: null },
    { conversationId: null, userId: 9 },
  ])
  const drawn = {
    ...fact,
    ...address,
    tag: random.whole(1, 2 ** 31 - 1),
    actorId: random.one([null, 3]),
    subjectId: random.one([null, id, id, id]),
  }
  const named = factKinds.namesRow(drawn as Fact) && drawn.subjectId !== null && !isRowless
  return { fact: drawn as Fact, row: named ? ({ ...rows[0], id } as MessageRow) : undefined }
}

/** What the log should know of a fact: the row that came with its batch, unless it is a long one that was named again. */
type Remembered = { readonly fact: Fact; readonly row: MessageRow | undefined; readonly isLong: boolean }

function appendBatch(recentLog: RecentLog, batch: readonly ReturnType<typeof draw>[]): Remembered[] {
  const rows = batch.flatMap(({ row }) => row ?? [])
  recentLog.append(
    batch.map(({ fact }) => fact),
    rows,
  )
  return batch.map(({ fact }) => {
    const row = factKinds.namesRow(fact) ? rows.findLast(({ id }) => id === fact.subjectId) : undefined
    return { fact, row, isLong: fact.subjectId !== fact.position && JSON.stringify(row ?? '').length > 1_024 }
  })
}

function compare(recentLog: RecentLog, all: readonly Remembered[]): void {
  const remembered = all.slice(recentLog.basePosition)
  const namingOf = (id: number | null) =>
    id === null ? undefined : remembered.findLast(({ fact }) => factKinds.namesRow(fact) && fact.subjectId === id)
  for (const { fact } of all) {
    const isRemembered = fact.position > recentLog.basePosition
    expect(recentLog.at(fact.position)).toEqual(isRemembered ? fact : undefined)
    expect(recentLog.headerAt(fact.position)?.subjectId).toBe(isRemembered ? fact.subjectId : undefined)
    const naming = namingOf(fact.position)
    const isGone = naming?.isLong && naming.fact.position <= recentLog.head.position - 256
    expect(recentLog.row(fact.position)).toEqual(isGone ? undefined : naming?.row)
    const named = factKinds.namesRow(fact) ? namingOf(fact.subjectId) : undefined
    expect(recentLog.versionOf(fact)).toBe(isRemembered ? (named?.fact.position ?? fact.position) : null)
    if (!isRemembered) continue
    expect(recentLog.holds(fact)).toBe(true)
    expect(recentLog.holds({ ...fact, tag: fact.tag + 1 })).toBe(false)
    expect(recentLog.versionOf({ ...fact, tag: fact.tag + 1 })).toBe(null)
    expect(recentLog.wasNamedAfter(fact.position, fact.conversationId, fact.position)).toBe(
      (naming?.fact.position ?? 0) > fact.position,
    )
  }
}

test('B11 the recent log gives back what was put in, within its bounds', async () => {
  await withSeed(async (random) => {
    const factsMax = random.whole(1, 700)
    const limits = { factsMax, bytesMax: random.one([20_000, 1e6, 1e9]), reachMax: factsMax }
    const recentLog = new RecentLog({ position: positionOf(0), tag: 7 }, limits, factKinds)
    const all: Remembered[] = []
    for (let batches = 1; all.length < 1_500; batches += 1) {
      const batch = Array.from({ length: random.whole(1, 9) }, (_, i) => draw(random, positionOf(all.length + i + 1)))
      all.push(...appendBatch(recentLog, batch))
      expect(recentLog.size).toBeLessThanOrEqual(limits.factsMax)
      expect(recentLog.bytes).toBeLessThanOrEqual(limits.bytesMax)
      expect(recentLog.head).toMatchObject({ position: all.length, tag: all.at(-1)?.fact.tag })
      if (batches % 20 === 0) compare(recentLog, all)
    }
  })
})

/** What a log with stubs was given: whether it got the whole fact. */
type Known = Remembered & { readonly isWhole: boolean }

/** What truly is the row with this id after the last fact. */
const truthOf = (all: readonly Known[], id: number) =>
  all.findLast(({ fact }) => factKinds.namesRow(fact) && fact.subjectId === id)?.row

function compareWithStubs(recentLog: RecentLog, all: readonly Known[]): number {
  let shown = 0
  for (const { fact, isWhole } of all) {
    const isRemembered = fact.position > recentLog.basePosition
    if (!isRemembered) {
      expect(recentLog.headerAt(fact.position)).toBeUndefined()
      continue
    }
    const { kind, conversationId, userId } = recentLog.headerAt(fact.position) ?? {}
    expect([kind, conversationId, userId]).toEqual([fact.kind, fact.conversationId, fact.userId])
    expect(recentLog.holds(fact)).toBe(true)
    const at = recentLog.at(fact.position)
    if (at !== undefined) expect(at).toEqual(fact)
    if (!isWhole) expect(at).toBeUndefined()
    expect(recentLog.isStub(fact.position)).toBe(at === undefined)
    // Never older than the head: that would show a deleted text again.
    for (const row of [recentLog.row(fact.position), at && recentLog.rowOf(at)]) {
      if (row === undefined) continue
      expect(row).toEqual(truthOf(all, row.id))
      shown += 1
    }
  }
  return shown
}

test('B11 D6 a log with stubs reaches further, and gives back no row that a stub may have changed', async () => {
  await withSeed(async (random) => {
    const factsMax = random.whole(20, 300)
    const limits = { factsMax, bytesMax: random.one([200_000, 1e9]), reachMax: factsMax * random.whole(2, 10) }
    const recentLog = new RecentLog({ position: positionOf(0), tag: 7 }, limits, factKinds)
    const all: Known[] = []
    let shown = 0
    for (let batches = 1; all.length < 1_500; batches += 1) {
      const tag = random.whole(1, 2 ** 31 - 1)
      const isWhole = random.chance(0.5)
      const batch = Array.from({ length: random.whole(1, 9) }, (_, i) => {
        const { fact, row } = draw(random, positionOf(all.length + i + 1))
        // A message is in one conversation, and only facts of that conversation name it.
        const inConversation = { conversationId: 55 + ((fact.subjectId ?? fact.position) % 3), userId: null }
        const address = factKinds.namesRow(fact) ? inConversation : { conversationId: fact.conversationId, userId: fact.userId }
        return { fact: { ...fact, ...address, tag } as Fact, row }
      })
      if (isWhole) all.push(...appendBatch(recentLog, batch).map((each) => ({ ...each, isWhole })))
      else {
        recentLog.appendStubs(batch.map(({ fact }) => fact))
        all.push(...batch.map(({ fact, row }) => ({ fact, row, isLong: false, isWhole })))
      }
      expect(recentLog.size).toBeLessThanOrEqual(limits.reachMax)
      expect(recentLog.bytes).toBeLessThanOrEqual(limits.bytesMax)
      if (batches % 20 === 0) shown += compareWithStubs(recentLog, all)
    }
    expect(recentLog.size).toBeGreaterThan(Math.min(factsMax, limits.reachMax - 10))
    expect(shown).toBeGreaterThan(0)
  })
})

test('D6 what was fetched for a stub is shown with its row only until a later stub may have changed that', () => {
  const limits = { factsMax: 100, bytesMax: 1e9, reachMax: 1_000 }
  const recentLog = new RecentLog({ position: positionOf(0), tag: 7 }, limits, factKinds)
  const sent = { kind: messageKinds.MessageSent.number, payload: null, text: 'first', mentions: 0 }
  const made = [1, 2].map((position) => make(position, sent))
  recentLog.appendStubs(made.map(({ fact }) => fact))
  expect(recentLog.appendOf(positionOf(2))).toEqual({ position: 1, tag: 123_456_789 })
  for (const { fact, rows } of made) recentLog.fill({ fact, row: rows[0] })
  const [{ fact }] = made as [(typeof made)[number]]
  expect(recentLog.at(fact.position)).toEqual(fact)
  expect(recentLog.rowOf(fact)).toMatchObject({ text: '1first' })
  expect(recentLog.versionOf(fact)).toBe(1)
  recentLog.fill({ fact: { ...fact, position: positionOf(2), tag: 5 }, row: undefined }) // of another history
  expect(recentLog.at(positionOf(2))?.tag).toBe(fact.tag)
  const edited = make(3, { ...sent, kind: messageKinds.MessageEdited.number }).fact
  recentLog.appendStubs([{ ...edited, tag: 9 }])
  expect(recentLog.rowOf(fact)).toBeUndefined()
  expect(recentLog.versionOf(fact)).toBeNull()
  expect(recentLog.wasNamedAfter(fact.position, fact.conversationId, positionOf(2))).toBe(true)
  expect(recentLog.wasNamedAfter(fact.position, fact.conversationId, positionOf(3))).toBe(false)
})

test('B11 a stub takes at most 16 bytes', () => {
  const before = memory()
  const count = 2 ** 20 - 1
  const limits = { factsMax: 1_000, bytesMax: 1e9, reachMax: count }
  const recentLog = new RecentLog({ position: positionOf(0), tag: 7 }, limits, factKinds)
  const outside = memory().outside - before.outside
  const { fact } = make(1, { kind: messageKinds.ReactionsChanged.number, payload: null, text: 'x', mentions: 0 })
  for (let position = 1; position <= count; position += 1) {
    recentLog.appendStubs([{ ...fact, position: positionOf(position), conversationId: conversationIdOf(position) }])
  }
  const after = memory()
  expect(recentLog.size).toBe(count)
  expect(outside + (after.outside - before.outside - outside) + after.heap - before.heap).toBeLessThan(16 * count + 2_000_000)
})
