// What is unread, as docs/protocol.md defines it: the in-memory model that the server's counts are compared with.

import { parseId } from '../../src/id.ts'
import { readBadges } from '../../src/push/situation.ts'
import type { Device } from '../support/device.ts'
import type { Node } from '../support/node.ts'
import { Whole } from './documents.ts'

/** A message of the model. */
export type Said = {
  readonly id: string
  readonly seq: number
  readonly by: string
  readonly mentions: string[]
  isDeleted: boolean
}

/** A notification level. */
export type Level = 'ALL' | 'MENTIONS' | 'NONE'

/** The counts of a user: for each of their conversations, and over all of them. */
export type Counts = {
  readonly of: { readonly [conversation: string]: { readonly unreadCount: number; readonly mentionCount: number } }
  readonly badge: number
}

/** Everything that the server counts for a user. */
export async function readCounts(node: Node, device: Device): Promise<Counts> {
  const { conversations } = await device.run(Whole, { people: [] })
  const userId = parseId('User', device.userId, '')
  const badges = await readBadges(node.app.store.reader, [userId], new Date())
  const nodes = (conversations.nodes ?? []).flatMap((conversation) => conversation ?? [])
  const of = Object.fromEntries(nodes.map(({ id, unreadCount, mentionCount }) => [id, { unreadCount, mentionCount }]))
  return { of, badge: badges.get(userId) ?? 0 }
}

type Membership = { readonly seenFrom: number; readSeq: number; level: Level | null; isMuted: boolean }

/** A conversation of the model. */
export class UnreadConversation {
  readonly id: string
  readonly isDirect: boolean
  readonly #isHistoryHidden: boolean
  readonly members = new Map<string, Membership>()
  /** The read markers of members and former members: a member who comes back has read what they had read. */
  readonly #markers = new Map<string, number>()
  readonly said: Said[] = []

  constructor(id: string, kind: 'DIRECT' | 'ALL' | 'SINCE_JOINING', ...members: readonly string[]) {
    this.id = id
    this.isDirect = kind === 'DIRECT'
    this.#isHistoryHidden = kind === 'SINCE_JOINING'
    for (const member of members) this.join(member)
  }

  /** A new member has nothing unread. */
  join(person: string): void {
    const readSeq = Math.max(this.#markers.get(person) ?? 0, this.said.length)
    const seenFrom = this.#isHistoryHidden ? this.said.length : 0
    this.members.set(person, { seenFrom, readSeq, level: null, isMuted: false })
  }

  /** The messages of a user that they still see and may change. */
  ownOf(person: string): Said[] {
    const { seenFrom = 0 } = this.members.get(person) ?? {}
    return this.said.filter(({ by, seq, isDeleted }) => by === person && seq > seenFrom && !isDeleted)
  }

  leave(person: string): void {
    this.#markers.set(person, this.members.get(person)?.readSeq ?? 0)
    this.members.delete(person)
  }

  /** A marker moves forward only, and not past the last message. */
  read(person: string, seq: number): void {
    const membership = this.members.get(person)
    if (membership) membership.readSeq = Math.max(membership.readSeq, Math.min(seq, this.said.length))
  }
}

/** Everything that the counts depend on. */
export class UnreadModel {
  readonly places: UnreadConversation[] = []
  /** The blocks, as `blocker blocked`. */
  readonly blocks = new Set<string>()

  isClosed({ isDirect, members }: UnreadConversation): boolean {
    const [one, other] = [...members.keys()]
    return isDirect && (this.blocks.has(`${one} ${other}`) || this.blocks.has(`${other} ${one}`))
  }

  /** The counts that the server must return for a user. */
  countsOf(person: string): Counts {
    const of: Record<string, Counts['of'][string]> = {}
    let badge = 0
    for (const place of this.places) {
      const membership = place.members.get(person)
      if (!membership) continue
      const isUnread = ({ seq, by, isDeleted }: Said) =>
        seq > membership.readSeq && by !== person && !isDeleted && !this.blocks.has(`${person} ${by}`)
      const unread = this.isClosed(place) ? [] : place.said.filter(isUnread)
      const mentions = unread.filter((message) => message.mentions.includes(person))
      of[place.id] = { unreadCount: unread.length, mentionCount: mentions.length }
      const wanted = { ALL: unread, MENTIONS: mentions, NONE: [] }[membership.level ?? 'ALL']
      badge += membership.isMuted ? 0 : wanted.length
    }
    return { of, badge }
  }
}
