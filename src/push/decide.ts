// The decision whether somebody is notified of a message: pure, of the message, what they want, where they are, and the clock.
// It is made when the delay after the message is over, and once more each time that a device is about to be sent it.

import { isQuiet, type QuietSpan } from './quiet-hours.ts'

/** What somebody wants to be notified of. */
export const pushLevels = ['ALL', 'MENTIONS', 'NONE'] as const
export type PushLevel = (typeof pushLevels)[number]

/** Why nobody was notified, each with what it means; the schema's enum is made from it. In the order in which they are looked at. */
export const skipReasons = {
  LEFT: 'You had left the conversation, or could not see the message.',
  BLOCKED: 'You have blocked the sender.',
  DELETED: 'The message was deleted.',
  READ: 'You had already read the message on some device.',
  EXPIRED: 'More than a day had passed since the message was sent.',
  MUTED: 'You had muted the conversation.',
  LEVEL: 'Your notification level excludes the message.',
  QUIET_HOURS: 'It fell into your quiet hours.',
  DO_NOT_DISTURB: 'Your presence mode was DO_NOT_DISTURB.',
  ONLINE: 'One of your devices was online and in use.',
  SUPERSEDED: 'The device could not be reached, and a newer notification of the conversation has reached it since.',
} as const
export type SkipReason = keyof typeof skipReasons

/** What somebody wants of notifications, for all conversations. */
export type Wishes = {
  readonly level: PushLevel
  /** Whether a notification holds the text of the message. */
  readonly showsText: boolean
  readonly timeZone: string | null
  readonly quietHours: readonly QuietSpan[]
  readonly quietExceptDirect: boolean
  readonly quietExceptMentions: boolean
}

/** What holds for somebody who never said anything. */
export const defaultWishes: Wishes = {
  level: 'ALL',
  showsText: true,
  timeZone: null,
  quietHours: [],
  quietExceptDirect: false,
  quietExceptMentions: false,
}

/** A message and one of those who hear it, with what the decision rests on. */
export type Situation = {
  readonly message: { readonly seq: number; readonly createdAt: Date; readonly isDeleted: boolean }
  readonly isDirect: boolean
  readonly isMentioned: boolean
  /** Whether they see the message, and hear its conversation at this moment. */
  readonly hears: boolean
  readonly isBlocked: boolean
  readonly readSeq: number
  readonly mutedUntil: Date | null
  /** What they want of this conversation; null: what they want of all. */
  readonly level: PushLevel | null
  readonly wishes: Wishes
  readonly isDoNotDisturb: boolean
  /** Of their devices, those that are somewhere near: the others are offline. */
  readonly devices: readonly { readonly sessionId: number; readonly state: 'ONLINE' | 'IDLE' }[]
}

/** How long after a message somebody is still notified of it. */
export const lifetimeMs = 24 * 3_600_000

/** Why somebody is not notified at this moment; null: they are, on each device that they have registered. */
export function decide(situation: Situation, now: Date): SkipReason | null {
  const { message, isDirect, isMentioned, mutedUntil, wishes } = situation
  if (!situation.hears) return 'LEFT'
  if (situation.isBlocked) return 'BLOCKED'
  if (message.isDeleted) return 'DELETED'
  if (situation.readSeq >= message.seq) return 'READ'
  if (now.getTime() - message.createdAt.getTime() > lifetimeMs) return 'EXPIRED'
  if (mutedUntil !== null && mutedUntil > now) return 'MUTED'
  if (!isWanted(situation)) return 'LEVEL'
  const isExcepted = (wishes.quietExceptDirect && isDirect) || (wishes.quietExceptMentions && isMentioned)
  if (!isExcepted && wishes.timeZone !== null && isQuiet(wishes.quietHours, wishes.timeZone, now)) return 'QUIET_HOURS'
  if (!isExcepted && situation.isDoNotDisturb) return 'DO_NOT_DISTURB'
  if (situation.devices.some(({ state }) => state === 'ONLINE')) return 'ONLINE'
  return null
}

/** Whether the message is of what they want. MENTIONS of the account takes a direct message for one: it is meant for them. */
function isWanted({ level, wishes, isDirect, isMentioned }: Situation): boolean {
  if (level !== null) return level === 'ALL' || (level === 'MENTIONS' && isMentioned)
  return wishes.level === 'ALL' || (wishes.level === 'MENTIONS' && (isMentioned || isDirect))
}
