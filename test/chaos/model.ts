// The reference model: what every conversation looks like at each position, derived from the facts alone and without the SQL of
// the product: members and roles, pins, read markers, unread messages, and the view of each member. A change without an effect
// makes no fact, so a fact about something with two states (a pin, an archive, a role below owner) flips it. The model also finds
// facts that their actor had no right to cause.

import { conversationIdOf, encodeId, messageIdOf, userIdOf } from '../../src/id.ts'
import { Audience } from './oracle.ts'
import type { ConversationRow, Fact } from './stored-state.ts'
import type { ConversationView } from './view.ts'

type ModelRole = 'OWNER' | 'ADMIN' | 'MEMBER'
type ModelMessage = { readonly id: number; readonly seq: number; readonly senderId: number; isDeleted: boolean }

class ModelConversation {
  readonly isGroup: boolean
  readonly audience: Audience
  readonly roles = new Map<number, ModelRole>()
  readonly messages: ModelMessage[] = []
  readonly byId = new Map<number, ModelMessage>()
  readonly pins = new Set<number>()
  readonly markers = new Map<number, number>()
  readonly archivedBy = new Set<number>()
  /** What users have hidden: `user message`. */
  readonly hidden = new Set<string>()
  /** How many users joined by invite. */
  joinedByInvite = 0

  constructor({ isGroup, initialVisibility }: ConversationRow) {
    this.isGroup = isGroup
    this.audience = new Audience(initialVisibility)
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

  viewOf(userId: number): ConversationView {
    const isHidden = (id: number) => this.hidden.has(`${userId} ${id}`)
    const last = this.messages.findLast(({ id }) => !isHidden(id))
    const read = this.markers.get(userId) ?? 0
    const isUnread = ({ id, seq, senderId, isDeleted }: ModelMessage) =>
      seq > read && senderId !== userId && !isDeleted && !isHidden(id)
    const user = (id: number) => encodeId('User', userIdOf(id))
    return {
      last: last && this.audience.sees(userId, last.id) ? last.seq : null,
      unread: this.messages.filter(isUnread).length,
      pins: [...this.pins]
        .filter((id) => this.audience.sees(userId, id) && !isHidden(id))
        .map((id) => encodeId('Message', messageIdOf(id)))
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

/** All conversations, after the facts applied so far. */
export class Model {
  readonly violations: string[] = []
  /** How often a fact was hidden from a member because it is about an earlier message. */
  hidden = 0
  /** Each membership interval: `conversation user from visibleFromSeq`. */
  readonly intervals: string[] = []
  readonly #conversations = new Map<number, ModelConversation>()
  /** The managers who have not received the current change of invites yet. */
  #pendingManagers: Set<number> | null = null

  constructor(rows: readonly ConversationRow[]) {
    for (const row of rows) this.#conversations.set(row.id, new ModelConversation(row))
  }

  /** Applies a fact. `next` is the one after it: facts of one request share a tag and are adjacent. */
  apply(fact: Fact, next: Fact | undefined): void {
    const isLastOfRequest = next?.tag !== fact.tag
    if (fact.conversationId === null) this.#applyUserFact(fact, isLastOfRequest || next?.kind !== fact.kind)
    const conversation = this.#conversations.get(fact.conversationId ?? fact.subjectId)
    if (!conversation) return
    if (fact.conversationId !== null) this.#applyConversationFact(conversation, fact, isLastOfRequest ? undefined : next)
    if (isLastOfRequest && conversation.isGroup && conversation.owners.length !== Math.min(1, conversation.roles.size))
      this.#violation(fact, `leaves a group of ${conversation.roles.size} with ${conversation.owners.length} owners`)
  }

  /** What a user sees, by global conversation id. */
  viewsOf(userId: number): Map<string, ConversationView> {
    const mine = [...this.#conversations].filter(([, { roles }]) => roles.has(userId))
    return new Map(
      mine.map(([id, conversation]) => [encodeId('Conversation', conversationIdOf(id)), conversation.viewOf(userId)]),
    )
  }

  /** The role of each member: `conversation user ROLE`. */
  get members(): string[] {
    return [...this.#conversations].flatMap(([id, { roles }]) => [...roles].map(([userId, role]) => `${id} ${userId} ${role}`))
  }

  /** The current history visibility, and how many users have joined by invite. */
  settingsOf(conversationId: number): { visibility: string; joinedByInvite: number } {
    const { audience, joinedByInvite } = this.#of(conversationId)
    return { visibility: audience.visibility, joinedByInvite }
  }

  roleOf(conversationId: number, userId: number): string | null {
    return this.#of(conversationId).roles.get(userId) ?? null
  }

  /** The seq of a user's read marker. */
  readBy(conversationId: number, userId: number): number {
    return this.#of(conversationId).markers.get(userId) ?? 0
  }

  isPinned(messageId: number): boolean {
    return [...this.#conversations.values()].some(({ pins }) => pins.has(messageId))
  }

  hides(userId: number, messageId: number): boolean {
    return [...this.#conversations.values()].some(({ hidden }) => hidden.has(`${userId} ${messageId}`))
  }

  isArchived(conversationId: number, userId: number): boolean {
    return this.#of(conversationId).archivedBy.has(userId)
  }

  #of(id: number): ModelConversation {
    const conversation = this.#conversations.get(id)
    if (!conversation) throw new Error(`there is no conversation ${id}`)
    return conversation
  }

  #violation({ kind, position, actorId }: Fact, what: string): void {
    this.violations.push(`D6 ${kind} of user ${actorId} at ${position} ${what}`)
  }

  /** Applies a fact that one user receives. `isLast`: it is the last of its kind in its request. */
  #applyUserFact(fact: Fact, isLast: boolean): void {
    const { kind, userId, subjectId } = fact
    if (userId === null) return
    if (kind === 'MembershipUpdated') flip(this.#of(subjectId).archivedBy, userId)
    if (kind === 'MessageHidden' || kind === 'MessageUnhidden') {
      const conversation = [...this.#conversations.values()].find(({ byId }) => byId.has(subjectId))
      flip(conversation?.hidden ?? new Set(), `${userId} ${subjectId}`)
    }
    if (kind !== 'InvitesChanged') return
    this.#pendingManagers ??= new Set(this.#of(subjectId).managers)
    if (!this.#pendingManagers.delete(userId))
      this.#violation(fact, `went to user ${userId}, who does not manage the group, or twice`)
    if (!isLast) return
    if (this.#pendingManagers.size > 0)
      this.#violation(fact, `did not go to ${[...this.#pendingManagers].join()}, who manage the group`)
    this.#pendingManagers = null
  }

  #applyConversationFact(conversation: ModelConversation, fact: Fact, next: Fact | undefined): void {
    const { audience, byId, markers, messages, pins } = conversation
    audience.applyBefore(fact)
    for (const userId of audience.members()) if (!audience.receives(userId, fact)) this.hidden += 1
    audience.applyAfter(fact)
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
            this.#violation(fact, `moves the marker of user ${userId} to ${seq}, which is not forward`)
          markers.set(userId, seq)
        }
        break
      case 'MemberJoined':
        this.#join(conversation, fact)
        break
      case 'MemberLeft':
        if (fact.actorId !== fact.subjectId) this.#requireManager(conversation, fact)
        if (fact.actorId !== fact.subjectId && conversation.roles.get(fact.subjectId) === 'OWNER')
          this.#violation(fact, 'removes the owner')
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

  #join(conversation: ModelConversation, fact: Fact): void {
    const { audience, isGroup, lastSeq, markers, roles } = conversation
    const { actorId, conversationId, position, subjectId } = fact
    const isFounder = isGroup && roles.size === 0
    if (isFounder && conversation.joinedByInvite + lastSeq > 0) this.#violation(fact, 'joins a group without members')
    if (isGroup && !isFounder && actorId === subjectId) conversation.joinedByInvite += 1
    else if (isGroup && !isFounder) this.#requireManager(conversation, fact)
    roles.set(subjectId, isFounder ? 'OWNER' : 'MEMBER')
    markers.set(subjectId, Math.max(markers.get(subjectId) ?? 0, lastSeq))
    this.intervals.push(`${conversationId} ${subjectId} ${position} ${audience.visibility === 'ALL' ? 0 : lastSeq}`)
  }

  /**
   * A fact about the owner transfers the ownership to the user of the next fact. If the owner leaves in the same request, it goes to
   * the user of this fact.
   */
  #changeRole(conversation: ModelConversation, fact: Fact, next: Fact | undefined): void {
    const { owners, roles } = conversation
    const { actorId, subjectId } = fact
    this.#requireManager(conversation, fact)
    if (owners.length === 0) roles.set(subjectId, 'OWNER')
    else if (roles.get(subjectId) === 'OWNER') {
      if (actorId !== subjectId || next?.kind !== 'MemberUpdated') this.#violation(fact, 'demotes the owner')
      roles.set(subjectId, 'ADMIN')
    } else if (roles.get(actorId ?? 0) === 'OWNER' && next?.kind === 'MemberLeft' && next.subjectId === actorId) {
      roles.set(subjectId, 'OWNER')
      roles.set(next.subjectId, 'MEMBER') // only until the next fact
    } else if (roles.has(subjectId)) roles.set(subjectId, roles.get(subjectId) === 'ADMIN' ? 'MEMBER' : 'ADMIN')
    else this.#violation(fact, `is about user ${subjectId}, who is not a member`)
  }

  #requireManager({ isGroup, roles }: ModelConversation, fact: Fact): void {
    const role = roles.get(fact.actorId ?? 0)
    if (!isGroup || role === undefined || role === 'MEMBER')
      this.#violation(fact, `comes from a user who is ${role ?? 'not a member'}`)
  }
}

function flip<T>(set: Set<T>, thing: T): void {
  if (!set.delete(thing)) set.add(thing)
}
