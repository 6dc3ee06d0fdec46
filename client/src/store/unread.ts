// Unread counts without asking for each message: the server's last count, and what has come since. Pure.

import type { Message } from './message-window.ts'

/** What the server counted when its newest message was `lastSeq`, and the unread messages after that one. */
export type Unread = {
  readonly count: number
  readonly isExact: boolean
  readonly mentions: number
  readonly lastSeq: number
  /** The viewer's read marker. */
  readonly readSeq: number
  /** By seq: whether the message mentions the viewer. */
  readonly since: ReadonlyMap<number, boolean>
  /** Whether the server has to count again: messages that it counted have been read or deleted. */
  readonly isStale: boolean
}

/** The server's count. */
export type CountedUnread = Omit<Unread, 'since' | 'isStale'>

/** The counts after the server has counted. What has come since its newest message stays. */
export function counted(before: Unread | null, { readSeq, ...server }: CountedUnread): Unread {
  const marker = Math.max(readSeq, before?.readSeq ?? 0)
  const since = new Map([...(before?.since ?? [])].filter(([seq]) => seq > server.lastSeq && seq > marker))
  // The server may not have seen a marker that this device has moved.
  if (marker > readSeq && marker >= server.lastSeq) {
    return { ...server, count: 0, mentions: 0, isExact: true, readSeq: marker, since, isStale: false }
  }
  return { ...server, readSeq: marker, since, isStale: marker > readSeq }
}

/** The counts after a message of another person was sent. */
export function received(unread: Unread, { seq }: Pick<Message, 'seq'>, isMention: boolean): Unread {
  if (seq <= unread.lastSeq || seq <= unread.readSeq) return unread
  return { ...unread, since: new Map([...unread.since, [seq, isMention]]) }
}

/** The counts after a message was deleted. */
export function deleted(unread: Unread, seq: number): Unread {
  if (unread.since.has(seq)) return { ...unread, since: new Map([...unread.since].filter(([each]) => each !== seq)) }
  return seq > unread.readSeq && seq <= unread.lastSeq ? { ...unread, isStale: true } : unread
}

/** The counts after the viewer has read up to a seq. */
export function readUpTo(unread: Unread, seq: number): Unread {
  if (seq <= unread.readSeq) return unread
  const since = new Map([...unread.since].filter(([each]) => each > seq))
  if (seq >= unread.lastSeq) return { ...unread, count: 0, mentions: 0, isExact: true, readSeq: seq, since, isStale: false }
  return { ...unread, readSeq: seq, since, isStale: unread.count > 0 }
}

/** The numbers to show. */
export function shownCounts({ count, mentions, isExact, since }: Unread) {
  const mentioned = [...since.values()].filter((isMention) => isMention).length
  return { unreadCount: count + since.size, unreadCountIsExact: isExact, mentionCount: mentions + mentioned }
}
