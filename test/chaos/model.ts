// What every conversation looks like at each position, from the facts alone, without the product's SQL: who is in it in which
// role, what is pinned, read and unread, and what each of them sees. A change that changes nothing is no fact, so a fact of
// what has two states (a pin, an archive, a role beside the owner's) turns it. On the way it finds acts that nobody was
// entitled to: who acts in a group does so with the role of that position.

import { encodeId } from '../../src/id.ts'
import type { ConversationRow, Fact } from './history.ts'
import { Audience } from './oracle.ts'
import type { View } from './view.ts'

type Role = 'OWNER' | 'ADMIN' | 'MEMBER'
type Message = { readonly id: number; readonly seq: number; readonly senderId: number; isDeleted: boolean }

class Conversation {
  readonly isGroup: boolean
  readonly audience: Audience
  readonly roles = new Map<number, Role>()
  readonly messages: Message[] = []
  readonly byId = new Map<number, Message>()
  readonly pins = new Set<number>()
  readonly markers = new Map<number, number>()
  readonly archivedBy = new Set<number>()
  /** How many have let themselves in. */
  entered = 0

  constructor({ isGroup, began }: ConversationRow) {
    this.isGroup = isGroup
    this.audience = new Audience(began)
  }

  get lastSeq(): number {
    return this.messages.at(-1)?.seq ?? 0
  }

  get owners(): number[] {
    return [...this.roles].filter(([, role]) => role === 'OWNER').map(([userId]) => userId)
  }

  get managers(): number[] {
    return [...this.roles].filter(([, role]) => role !== 'MEMBER').map(([userId]) => userId)
  }

  seenBy(userId: number): View {
    const last = this.messages.at(-1)
    const read = this.markers.get(userId) ?? 0
    const isUnread = ({ seq, senderId, isDeleted }: Message) => seq > read && senderId !== userId && !isDeleted
    const user = (id: number) => encodeId('User', id)
    return {
      last: last && this.audience.sees(userId, last.id) ? last.seq : null,
      unread: this.messages.filter(isUnread).length,
      pins: [...this.pins]
        .filter((id) => this.audience.sees(userId, id))
        .map((id) => encodeId('Message', id))
        .sort(),
      roles: [...this.roles].map(([id, role]) => `${user(id)} ${role}`).sort(),
      markers: [...this.markers]
        .filter(([id, seq]) => seq > 0 && this.roles.has(id))
        .map(([id, seq]) => `${user(id)} ${seq}`)
        .sort(),
      visibility: this.audience.visibility,
      isArchived: this.archivedBy.has(userId),
    }
  }
}

/** All conversations, as they are after the facts that were taken so far. */
export class Model {
  readonly faults: string[] = []
  /** How often a fact was hidden from somebody who was there, since it is about a message from before. */
  hidden = 0
  /** Each interval of membership: `conversation user from visibleFromSeq`. */
  readonly intervals: string[] = []
  readonly #conversations = new Map<number, Conversation>()
  /** Who is still to be told of a change of invites. */
  #untold: Set<number> | null = null

  constructor(rows: readonly ConversationRow[]) {
    for (const row of rows) this.#conversations.set(row.id, new Conversation(row))
  }

  /** Takes the next fact. `next` is the one after it: those of one request have one tag and stand beside each other. */
  take(fact: Fact, next: Fact | undefined): void {
    const isLastOfRequest = next?.tag !== fact.tag
    if (fact.conversationId === null) this.#takeOwn(fact, isLastOfRequest || next?.kind !== fact.kind)
    const conversation = this.#conversations.get(fact.conversationId ?? fact.subjectId)
    if (!conversation) return
    if (fact.conversationId !== null) this.#takeShared(conversation, fact, isLastOfRequest ? undefined : next)
    if (isLastOfRequest && conversation.isGroup && conversation.owners.length !== Math.min(1, conversation.roles.size))
      this.#fault(fact, `leaves a group of ${conversation.roles.size} with ${conversation.owners.length} owners`)
  }

  /** What a user sees, by the global id of the conversation. */
  seenBy(userId: number): Map<string, View> {
    const mine = [...this.#conversations].filter(([, { roles }]) => roles.has(userId))
    return new Map(mine.map(([id, conversation]) => [encodeId('Conversation', id), conversation.seenBy(userId)]))
  }

  /** Everybody's role: `conversation user ROLE`. */
  get members(): string[] {
    return [...this.#conversations].flatMap(([id, { roles }]) => [...roles].map(([userId, role]) => `${id} ${userId} ${role}`))
  }

  /** What those see who join a group now, and how many have let themselves in so far. */
  settingsOf(conversationId: number): { visibility: string; entered: number } {
    const { audience, entered } = this.#of(conversationId)
    return { visibility: audience.visibility, entered }
  }

  roleOf(conversationId: number, userId: number): string | null {
    return this.#of(conversationId).roles.get(userId) ?? null
  }

  /** The marker of a user: up to which seq they have read. */
  readBy(conversationId: number, userId: number): number {
    return this.#of(conversationId).markers.get(userId) ?? 0
  }

  isPinned(messageId: number): boolean {
    return [...this.#conversations.values()].some(({ pins }) => pins.has(messageId))
  }

  isArchived(conversationId: number, userId: number): boolean {
    return this.#of(conversationId).archivedBy.has(userId)
  }

  #of(id: number): Conversation {
    const conversation = this.#conversations.get(id)
    if (!conversation) throw new Error(`there is no conversation ${id}`)
    return conversation
  }

  #fault({ kind, position, actorId }: Fact, what: string): void {
    this.faults.push(`D6 ${kind} of user ${actorId} at ${position} ${what}`)
  }

  /** A fact that one user hears. `isLast`: no other of its kind comes with it. */
  #takeOwn(fact: Fact, isLast: boolean): void {
    const { kind, userId, subjectId } = fact
    if (userId === null) return
    if (kind === 'MembershipUpdated') flip(this.#of(subjectId).archivedBy, userId)
    if (kind !== 'InvitesChanged') return
    this.#untold ??= new Set(this.#of(subjectId).managers)
    if (!this.#untold.delete(userId)) this.#fault(fact, `is told to user ${userId}, who manages nothing, or twice`)
    if (!isLast) return
    if (this.#untold.size > 0) this.#fault(fact, `is not told to ${[...this.#untold].join()}, who manage the group`)
    this.#untold = null
  }

  #takeShared(conversation: Conversation, fact: Fact, next: Fact | undefined): void {
    const { audience, byId, markers, messages, pins } = conversation
    audience.begin(fact)
    for (const userId of audience.members()) if (!audience.hears(userId, fact)) this.hidden += 1
    audience.end(fact)
    switch (fact.kind) {
      case 'MessageSent': {
        const message = { id: fact.subjectId, seq: fact.sent?.seq ?? 0, senderId: fact.sent?.senderId ?? 0, isDeleted: false }
        messages.push(message)
        byId.set(message.id, message)
        break
      }
      case 'MessageDeleted': {
        const message = byId.get(fact.subjectId)
        if (message) message.isDeleted = true
        pins.delete(fact.subjectId)
        break
      }
      case 'PinsChanged':
        flip(pins, fact.subjectId)
        break
      case 'ReadMarkersMoved':
        for (const { userId, seq } of fact.markers) {
          if (seq <= (markers.get(userId) ?? 0))
            this.#fault(fact, `moves the marker of user ${userId} to ${seq}, which is not forward`)
          markers.set(userId, seq)
        }
        break
      case 'MemberJoined':
        this.#join(conversation, fact)
        break
      case 'MemberLeft':
        if (fact.actorId !== fact.subjectId) this.#requireManager(conversation, fact)
        if (fact.actorId !== fact.subjectId && conversation.roles.get(fact.subjectId) === 'OWNER')
          this.#fault(fact, 'removes the owner')
        conversation.roles.delete(fact.subjectId)
        conversation.archivedBy.delete(fact.subjectId)
        break
      case 'MemberUpdated':
        this.#changeRole(conversation, fact, next)
        break
      case 'ConversationUpdated':
        this.#requireManager(conversation, fact)
        break
    }
  }

  #join(conversation: Conversation, fact: Fact): void {
    const { audience, isGroup, lastSeq, markers, roles } = conversation
    const { actorId, conversationId, position, subjectId } = fact
    const isFounder = isGroup && roles.size === 0
    if (isFounder && conversation.entered + lastSeq > 0) this.#fault(fact, 'enters a group that everybody has left')
    if (isGroup && !isFounder && actorId === subjectId) conversation.entered += 1
    else if (isGroup && !isFounder) this.#requireManager(conversation, fact)
    roles.set(subjectId, isFounder ? 'OWNER' : 'MEMBER')
    markers.set(subjectId, Math.max(markers.get(subjectId) ?? 0, lastSeq))
    this.intervals.push(`${conversationId} ${subjectId} ${position} ${audience.visibility === 'ALL' ? 0 : lastSeq}`)
  }

  /** An owner who names themselves hands over, to whom the next fact names; one who leaves at once, to whom this one names. */
  #changeRole(conversation: Conversation, fact: Fact, next: Fact | undefined): void {
    const { owners, roles } = conversation
    const { actorId, subjectId } = fact
    this.#requireManager(conversation, fact)
    if (owners.length === 0) roles.set(subjectId, 'OWNER')
    else if (roles.get(subjectId) === 'OWNER') {
      if (actorId !== subjectId || next?.kind !== 'MemberUpdated') this.#fault(fact, 'unmakes the owner')
      roles.set(subjectId, 'ADMIN')
    } else if (roles.get(actorId ?? 0) === 'OWNER' && next?.kind === 'MemberLeft' && next.subjectId === actorId) {
      roles.set(subjectId, 'OWNER')
      roles.set(next.subjectId, 'MEMBER') // for no longer than until the next fact
    } else if (roles.has(subjectId)) roles.set(subjectId, roles.get(subjectId) === 'ADMIN' ? 'MEMBER' : 'ADMIN')
    else this.#fault(fact, `is about user ${subjectId}, who is not there`)
  }

  #requireManager({ isGroup, roles }: Conversation, fact: Fact): void {
    const role = roles.get(fact.actorId ?? 0)
    if (!isGroup || role === undefined || role === 'MEMBER')
      this.#fault(fact, `comes from somebody who is ${role ?? 'not there'}`)
  }
}

function flip<T>(set: Set<T>, thing: T): void {
  if (!set.delete(thing)) set.add(thing)
}
