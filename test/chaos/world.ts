// What the people of a run know in common. It is what they believe: answers are lost, and others act meanwhile, so refusals
// are part of the game; whoever is answered believes the answer.

import type { StandingFragment } from '../support/generated/graphql.ts'
import type { Person } from './person.ts'

/** How many conversations somebody is put into at most: a snapshot asks for 60. */
const conversationsMax = 40
const invitesMax = 60

/** A conversation as people believe it to be. */
export class Conversation {
  readonly id: string
  readonly isGroup: boolean
  readonly members = new Set<Person>()
  /** Who may run it; the owner is one of them. */
  readonly managers = new Set<Person>()
  owner: Person | null = null
  /** The seq of the last message of which is known that it was there when somebody came; 0 where nobody has come. */
  seqBefore = 0

  constructor(id: string, isGroup: boolean) {
    this.id = id
    this.isGroup = isGroup
  }

  /** Forgets somebody who is not in it. */
  forget(person: Person): void {
    this.members.delete(person)
    this.demote(person)
  }

  /** Forgets the role of somebody. */
  demote(person: Person): void {
    this.managers.delete(person)
    if (this.owner === person) this.owner = null
  }
}

/** A message of late. */
export type Recent = {
  readonly id: string
  readonly conversation: Conversation
  readonly sender: Person
  readonly seq: number
}

/** An invite that was made; it may be used up or revoked since. */
export type Invitation = { readonly id: string; readonly token: string; readonly group: Conversation }

/** What people know in common. */
export class World {
  readonly people: Person[] = []
  readonly conversations: Conversation[] = []
  readonly recent: Recent[] = []
  readonly invitations: Invitation[] = []

  /** Notes an invite; the oldest are forgotten. */
  invite(invitation: Invitation): void {
    this.invitations.push(invitation)
    if (this.invitations.length > invitesMax) this.invitations.shift()
  }

  /** Believes what was answered about who is in a group, also of one that is new. */
  believe({ id, members }: StandingFragment): Conversation {
    const known = this.conversations.find((conversation) => conversation.id === id)
    const group = known ?? new Conversation(id, true)
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
      group.seqBefore = Math.max(0, ...this.recent.filter(({ conversation }) => conversation === group).map(({ seq }) => seq))
    }
    return group
  }

  /** Those who are not in too much already. */
  get free(): Person[] {
    return this.people.filter(
      (person) => this.conversations.filter(({ members }) => members.has(person)).length < conversationsMax,
    )
  }
}
