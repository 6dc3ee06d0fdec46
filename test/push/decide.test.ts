// The decision, case by case: each reason alone, and the order of reasons.

import { expect, test } from 'vitest'
import { sessionIdOf } from '../../src/id.ts'
import { decide, defaultWishes, lifetimeMs, type OtherWishes, type Situation, type SkipReason } from '../../src/push/decide.ts'
import { levelOf } from '../../src/push/level.ts'
import { weekdays } from '../../src/push/quiet-hours.ts'
import { connect, createDatabase } from '../support/node.ts'

const now = new Date('2026-11-21T12:00:00Z')
const always = { timeZone: 'UTC', quietHours: [{ days: [...weekdays], from: '00:00', until: '00:00' }] }
const plain: Situation = {
  message: { seq: 7, createdAt: new Date(now.getTime() - 5_000), isDeleted: false },
  isDirect: false,
  isMentioned: false,
  hears: true,
  isBlocked: false,
  readSeq: 6,
  mutedUntil: null,
  level: 'ALL',
  wishes: defaultWishes,
  isDoNotDisturb: false,
  devices: [],
}
const wishing = (wishes: Partial<OtherWishes>): Partial<Situation> => ({ wishes: { ...defaultWishes, ...wishes } })
const sentAgo = (ms: number) => ({ message: { ...plain.message, createdAt: new Date(now.getTime() - ms) } })
const online = { devices: [{ sessionId: sessionIdOf(1), state: 'ONLINE' as const }] }

test.each<[what: string, changed: Partial<Situation>, expected: SkipReason | null]>([
  ['a message', {}, null],
  ['a member who left', { hears: false }, 'LEFT'],
  ['a block', { isBlocked: true }, 'BLOCKED'],
  ['a deleted message', { message: { ...plain.message, isDeleted: true } }, 'DELETED'],
  ['a message that was read', { readSeq: 7 }, 'READ'],
  ['a message before the last one that was read', { readSeq: 9 }, 'READ'],
  ['a message of nearly a day ago', sentAgo(lifetimeMs), null],
  ['a message of more than a day ago', sentAgo(lifetimeMs + 1), 'EXPIRED'],
  ['a muted conversation', { mutedUntil: new Date(now.getTime() + 1) }, 'MUTED'],
  ['a conversation whose mute is over', { mutedUntil: now }, null],
  ['level NONE, a mention', { level: 'NONE', isMentioned: true }, 'LEVEL'],
  ['level MENTIONS, no mention', { level: 'MENTIONS' }, 'LEVEL'],
  ['level MENTIONS, a mention', { level: 'MENTIONS', isMentioned: true }, null],
  ['quiet hours', wishing(always), 'QUIET_HOURS'],
  ['quiet hours without a time zone', wishing({ ...always, timeZone: null }), null],
  ['quiet hours, a mention', { ...wishing(always), isMentioned: true }, 'QUIET_HOURS'],
  [
    'quiet hours, a mention with the exception',
    { ...wishing({ ...always, quietExceptMentions: true }), isMentioned: true },
    null,
  ],
  ['quiet hours, no mention, with the exception for mentions', wishing({ ...always, quietExceptMentions: true }), 'QUIET_HOURS'],
  [
    'quiet hours, a direct message with the exception',
    { ...wishing({ ...always, quietExceptDirect: true }), isDirect: true },
    null,
  ],
  [
    'quiet hours, a mention with the exception for direct messages',
    { ...wishing({ ...always, quietExceptDirect: true }), isMentioned: true },
    'QUIET_HOURS',
  ],
  ['do not disturb', { isDoNotDisturb: true }, 'DO_NOT_DISTURB'],
  [
    'do not disturb, a mention with the exception',
    { ...wishing({ quietExceptMentions: true }), isDoNotDisturb: true, isMentioned: true },
    null,
  ],
  ['a device that is online', online, 'ONLINE'],
  ['a device that is idle', { devices: [{ sessionId: sessionIdOf(1), state: 'IDLE' }] }, null],
  [
    'one idle, one online',
    {
      devices: [
        { sessionId: sessionIdOf(1), state: 'IDLE' },
        { sessionId: sessionIdOf(2), state: 'ONLINE' },
      ],
    },
    'ONLINE',
  ],
  ['read, muted and online', { ...online, readSeq: 7, mutedUntil: new Date('2999-01-01') }, 'READ'],
  ['left and read', { hears: false, readSeq: 7 }, 'LEFT'],
])('N2 %s', (_what, changed, expected) => {
  expect(decide({ ...plain, ...changed }, now)).toBe(expected)
})

test('the level of a conversation comes before that of the account, whose MENTIONS includes direct messages', async () => {
  const sql = await connect(await createDatabase())
  const here = ['ALL', 'MENTIONS', 'NONE', null]
  const { rows } = await sql.query(
    `select m.push_level as here, s.level as account, string_agg(${levelOf('m', 's', 'c')}::text, ' ' order by c.kind) as applies
       from unnest($1::push_level[]) with ordinality as m(push_level, i)
      cross join unnest($1::push_level[]) with ordinality as s(level, j)
      cross join unnest(array['DIRECT', 'GROUP']::conversation_kind[]) as c(kind)
      group by i, j, here, account order by i, j`,
    [here],
  )
  const inDirectAndGroup = { ALL: 'ALL ALL', MENTIONS: 'ALL MENTIONS', NONE: 'NONE NONE' }
  expect(rows).toEqual(
    here.flatMap((level) =>
      (['ALL', 'MENTIONS', 'NONE', null] as const).map((account) => ({
        here: level,
        account,
        applies: level ? `${level} ${level}` : inDirectAndGroup[account ?? 'ALL'],
      })),
    ),
  )
})
