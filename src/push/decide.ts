// Decides whether a user is notified of a message, by the message, the user's settings and presence, and the time. Pure. The
// decision is made when the delay after the message is over, and again before each attempt to send to a device.

import type { SessionId } from '../id.ts'
import { isQuiet, type QuietSpan } from './quiet-hours.ts'

/** The notification levels. */
export const pushLevels = ['ALL', 'MENTIONS', 'NONE'] as const
export type PushLevel = (typeof pushLevels)[number]

/** The reasons to skip a notification, in the order in which they are checked, with their descriptions in the schema. */
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

/** A user's notification settings for all conversations. */
export type Wishes = {
  readonly level: PushLevel
  /** Whether a notification contains the text of the message. */
  readonly showsText: boolean
  readonly timeZone: string | null
  readonly quietHours: readonly QuietSpan[]
  readonly quietExceptDirect: boolean
  readonly quietExceptMentions: boolean
}

/** The settings except the level, which the conversation may override. */
export type OtherWishes = Omit<Wishes, 'level'>

/** The settings of a user who has not set any. */
export const defaultWishes: Wishes = {
  level: 'ALL',
  showsText: true,
  timeZone: null,
  quietHours: [],
  quietExceptDirect: false,
  quietExceptMentions: false,
}

/** Everything that the decision about a message and a user depends on. */
export type Situation = {
  readonly message: { readonly seq: number; readonly createdAt: Date; readonly isDeleted: boolean }
  readonly isDirect: boolean
  readonly isMentioned: boolean
  /** Whether the user sees the message and is in the conversation's audience now. */
  readonly hears: boolean
  readonly isBlocked: boolean
  readonly readSeq: number
  readonly mutedUntil: Date | null
  /** The level that applies in this conversation (level.ts). */
  readonly level: PushLevel
  readonly wishes: OtherWishes
  readonly isDoNotDisturb: boolean
  /** The user's devices that are not offline. */
  readonly devices: readonly { readonly sessionId: SessionId; readonly state: 'ONLINE' | 'IDLE' }[]
}

/** How long after a message users are still notified of it. */
export const lifetimeMs = 24 * 3_600_000

/** Why the user is not notified now; null if they are, on each of their registered devices. */
export function decide(situation: Situation, now: Date): SkipReason | null {
  const { message, isDirect, isMentioned, mutedUntil, level, wishes } = situation
  if (!situation.hears) return 'LEFT'
  if (situation.isBlocked) return 'BLOCKED'
  if (message.isDeleted) return 'DELETED'
  if (situation.readSeq >= message.seq) return 'READ'
  if (now.getTime() - message.createdAt.getTime() > lifetimeMs) return 'EXPIRED'
  if (mutedUntil !== null && mutedUntil > now) return 'MUTED'
  if (level === 'NONE' || (level === 'MENTIONS' && !isMentioned)) return 'LEVEL'
  const isExcepted = (wishes.quietExceptDirect && isDirect) || (wishes.quietExceptMentions && isMentioned)
  if (!isExcepted && wishes.timeZone !== null && isQuiet(wishes.quietHours, wishes.timeZone, now)) return 'QUIET_HOURS'
  if (!isExcepted && situation.isDoNotDisturb) return 'DO_NOT_DISTURB'
  if (situation.devices.some(({ state }) => state === 'ONLINE')) return 'ONLINE'
  return null
}
