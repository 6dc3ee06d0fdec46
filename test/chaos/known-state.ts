// What the people of a run know, from the answers to their requests. It may be out of date: answers get lost and others act
// meanwhile, so a refusal is normal, and the latest answer counts.

import type { MemberRolesFragment } from '../support/generated/graphql.ts'
import type { Person } from './person.ts'

/** How many conversations a person may be in: a snapshot asks for 60. */
const conversationsMax = 40
const invitationsMax = 60

/** A conversation as the people know it. */
export class KnownConversation {
  readonly id: string
  readonly isGroup: boolean
  /** Its messages are random bytes, of the epoch 0: who commits is in a group of their own (sealed-group.ts). */
  isEncrypted = false
  readonly members = new Set<Person>()
  /** The owner and the admins. */
  readonly managers = new Set<Person>()
  /** The people who left it. Nobody may add them again. */
  readonly formerMembers = new Set<Person>()
  owner: Person | null = null
  /** The seq of the newest known message at the time of the last join; 0 if nobody has joined since the start. */
  lastSeqBeforeJoin = 0

  constructor(id: string, isGroup: boolean) {
    this.id = id
    this.isGroup = isGroup
  }

  removeMember(person: Person): void {
    this.members.delete(person)
    this.demote(person)
  }

  demote(person: Person): void {
    this.managers.delete(person)
    if (this.owner === person) this.owner = null
  }
}

/** A message sent recently. */
export type RecentMessage = {
  readonly id: string
  readonly conversation: KnownConversation
  readonly sender: Person
  readonly seq: number
}

/** An invite. It may have been used up or revoked meanwhile. */
export type Invitation = { readonly id: string; readonly token: string; readonly group: KnownConversation }

/** What all people of a run know together. */
export class KnownState {
  readonly people: Person[] = []
  readonly conversations: KnownConversation[] = []
  readonly recentMessages: RecentMessage[] = []
  readonly invitations: Invitation[] = []

  /** Adds an invite, and drops the oldest above the limit. */
  addInvitation(invitation: Invitation): void {
    this.invitations.push(invitation)
    if (this.invitations.length > invitationsMax) this.invitations.shift()
  }

  /** Takes over the members of a group from an answer. The group may be new. */
  learn({ id, members }: MemberRolesFragment): KnownConversation {
    const known = this.conversations.find((conversation) => conversation.id === id)
    const group = known ?? new KnownConversation(id, true)
    if (!known) this.conversations.push(group)
    const before = new Set(group.members)
    group.members.clear()
    group.managers.clear()
    group.owner = null
    for (const member of members.nodes ?? []) {
      const person = this.people.find((p) => p.id === member?.user.id)
      if (!person || !member) continue
      group.members.add(person)
      if (member.role !== 'MEMBER') group.managers.add(person)
      if (member.role === 'OWNER') group.owner = person
    }
    if (known && [...group.members].some((person) => !before.has(person))) {
      const seqs = this.recentMessages.filter(({ conversation }) => conversation === group).map(({ seq }) => seq)
      group.lastSeqBeforeJoin = Math.max(0, ...seqs)
    }
    return group
  }

  /** The people who may join one more conversation. */
  get available(): Person[] {
    return this.people.filter(
      (person) => this.conversations.filter(({ members }) => members.has(person)).length < conversationsMax,
    )
  }
}
