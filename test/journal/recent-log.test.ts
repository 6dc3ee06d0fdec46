// The bytes that the recent log counts cover the heap that it takes, so that its limit holds.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { factKinds } from '../../src/features.ts'
import { positionOf } from '../../src/id.ts'
import type { Fact } from '../../src/journal/fact.ts'
import { RecentLog } from '../../src/journal/recent-log.ts'
import { messageKinds } from '../../src/message/events.ts'
import type { MessageRow } from '../../src/message/row.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The heap once collection frees nothing more: garbage of loading the modules takes several rounds. */
function heap(): number {
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    collect()
    const { heapUsed } = process.memoryUsage()
    if (before - heapUsed < 10_000) return heapUsed
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
  const before = heap()
  const recentLog = new RecentLog({ position: positionOf(0), tag: 1 }, { factsMax: 10_000, bytesMax: 1e12 }, factKinds)
  for (let position = 1; position <= 10_000; position += 1) {
    const { fact, rows } = make(position, made)
    recentLog.append([fact], rows)
  }
  const taken = heap() - before
  expect(recentLog.size).toBe(10_000)
  expect(recentLog.bytes / taken).toBeGreaterThan(0.95)
  expect(recentLog.bytes / taken).toBeLessThan(2.5)
})
