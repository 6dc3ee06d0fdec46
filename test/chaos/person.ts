// A person: draws what to do next, does it at any door, and notes what was answered. Sends are repeated with the same
// clientMessageId until they have an answer, sometimes as many copies at once, sometimes with the answer thrown away.

import { setTimeout as delay } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { parseId } from '../../src/id.ts'
import { parseCursor } from '../../src/journal/cursor.ts'
import type { Random } from '../journal/random.ts'
import { Add, Delete, Edit, Leave, React, Read, Remove, Send, Unreact } from './documents.ts'
import { ask, type Door, type Outcome } from './door.ts'
import type { Record, Sending } from './record.ts'

/** A conversation as people believe it to be: who is in it is a guess, and refusals are part of the game. */
export type Conversation = { readonly id: string; readonly owner: Person | null; readonly members: Set<Person> }

/** What people know in common: the conversations, and messages of late. */
export type World = {
  readonly conversations: Conversation[]
  readonly people: Person[]
  readonly recent: { readonly id: string; readonly conversation: Conversation; readonly sender: Person; readonly seq: number }[]
}

/** Refusals that a person may meet without a fault of anybody's. */
const expected = new Set(['NOT_FOUND', 'FORBIDDEN', 'UNAVAILABLE', 'MESSAGE_DELETED', 'LIMIT_EXCEEDED', 'RATE_LIMITED'])
const emoji = ['👍', '🎉', '❤️'] as const
const sendForMs = 60_000
const recentMax = 200

type Act = 'send' | 'edit' | 'delete' | 'react' | 'unreact' | 'read' | 'add' | 'remove' | 'leave'
/** Of a hundred acts. */
const shares: readonly (readonly [Act, number])[] = [
  ['send', 56],
  ['edit', 8],
  ['delete', 3],
  ['react', 9],
  ['unreact', 3],
  ['read', 8],
  ['add', 7],
  ['remove', 3],
  ['leave', 3],
]

/** One person of a run. */
export class Person {
  readonly id: string
  readonly userId: number
  readonly accessToken: string
  readonly #world: World
  readonly #doors: readonly [Door, ...Door[]]
  readonly #random: Random
  readonly #record: Record
  #sent = 0

  constructor(id: string, accessToken: string, world: World, doors: readonly [Door, ...Door[]], random: Random, record: Record) {
    this.id = id
    this.userId = parseId('User', id, 'id')
    this.accessToken = accessToken
    this.#world = world
    this.#doors = doors
    this.#random = random
    this.#record = record
  }

  /** Acts, with pauses, until it is told to stop. */
  async run(thinkMs: number, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      await delay(this.#random.whole(0, 2 * thinkMs))
      await this.#act(isStopped)
    }
  }

  async #act(isStopped: () => boolean): Promise<void> {
    const random = this.#random
    const mine = this.#world.conversations.filter(({ members }) => members.has(this))
    // Now and then at the door of a conversation that one is not in.
    const conversation = mine.length === 0 || random.chance(0.02) ? this.#draw(this.#world.conversations) : this.#draw(mine)
    if (!conversation) return
    const message = this.#draw(this.#world.recent.filter((m) => m.conversation.members.has(this)))
    const own = this.#draw(this.#world.recent.filter((m) => m.sender === this))
    const group = this.#draw(this.#world.conversations.filter(({ owner }) => owner === this))
    switch (this.#drawAct()) {
      case 'send':
        return this.#send(conversation, isStopped)
      case 'edit':
        if (own) await this.#do('edit', Edit, { messageId: own.id, text: `edited ${random.fraction()}` }, (d) => d.editMessage)
        return
      case 'delete':
        if (own) await this.#do('delete', Delete, { messageId: own.id }, (d) => d.deleteMessage)
        return
      case 'react':
        if (message) await this.#do('react', React, { messageId: message.id, emoji: random.one(emoji) }, (d) => d.addReaction)
        return
      case 'unreact':
        if (message)
          await this.#do('unreact', Unreact, { messageId: message.id, emoji: random.one(emoji) }, (d) => d.removeReaction)
        return
      case 'read':
        if (message)
          await this.#do('read', Read, { conversationId: message.conversation.id, seq: message.seq }, (d) => d.markRead)
        return
      case 'add': {
        const person = group && this.#draw(this.#world.people.filter((p) => !group.members.has(p)))
        if (!group || !person) return
        const input = { conversationId: group.id, userIds: [person.id] }
        if (await this.#do('add', Add, input, (d) => d.addMembers)) group.members.add(person)
        return
      }
      case 'remove': {
        const person = group && this.#draw([...group.members].filter((p) => p !== this))
        if (!group || !person) return
        const input = { conversationId: group.id, userId: person.id }
        if (await this.#do('remove', Remove, input, (d) => d.removeMember)) group.members.delete(person)
        return
      }
      case 'leave':
        if (conversation.owner === null || conversation.owner === this) return
        if (await this.#do('leave', Leave, { conversationId: conversation.id }, (d) => d.leaveConversation))
          conversation.members.delete(this)
    }
  }

  #drawAct(): Act {
    let left = this.#random.whole(0, 99)
    for (const [act, share] of shares) {
      if (left < share) return act
      left -= share
    }
    return 'send'
  }

  #draw<T>(things: readonly T[]): T | undefined {
    return things[this.#random.whole(0, things.length - 1)]
  }

  /** Does something once, wherever it may lead. @returns whether it was answered. */
  async #do<Data, Input>(
    what: Act,
    document: TypedDocumentNode<Data, { input: Input }>,
    input: Input,
    answerIn: (data: Data) => { readonly cursor?: string | null },
  ): Promise<boolean> {
    const outcome = await ask(this.#random.one(this.#doors), document, { input }, this.accessToken)
    this.#record.count(`${what} ${outcome.status}`)
    if (outcome.status === 'refused') this.#check(what, outcome)
    if (outcome.status !== 'answered') return false
    this.#note(what, answerIn(outcome.data).cursor)
    return true
  }

  #note(what: string, cursor: string | null | undefined): void {
    if (cursor) this.#record.places.push({ what, ...parseCursor(cursor, 'cursor') })
  }

  #check(what: Act, { code, message }: Outcome<unknown> & { status: 'refused' }): void {
    this.#record.count(`refused: ${code}`)
    if (!expected.has(code)) this.#record.fault(`${what} was refused with ${code}: ${message}`)
  }

  async #send(conversation: Conversation, isStopped: () => boolean): Promise<void> {
    const random = this.#random
    this.#sent += 1
    const copies = random.chance(0.08) ? random.whole(2, 6) : 1
    const text = `${this.userId} ${this.#sent} ${random.chance(0.1) ? 'x'.repeat(random.whole(3_000, 9_000)) : ''}`
    const [clientMessageId, senderId] = [random.uuid(), this.userId]
    const sending: Sending = {
      clientMessageId,
      senderId,
      text,
      ids: new Set(),
      refusals: new Set(),
      unanswered: 0,
      isInTurn: copies === 1,
    }
    this.#record.sendings.push(sending)
    if (copies > 1) {
      this.#record.count('copies', copies)
      const doors = Array.from({ length: copies }, (_, i) => this.#doors[i % this.#doors.length] ?? this.#doors[0])
      await Promise.all(doors.map((door) => this.#attempt(sending, conversation, text, door)))
    }
    const deadline = Date.now() + sendForMs
    while (sending.ids.size === 0 && sending.refusals.size === 0 && Date.now() < deadline) {
      await this.#attempt(sending, conversation, text, random.one(this.#doors))
      if (sending.ids.size > 0 || sending.refusals.size > 0) break
      if (isStopped()) return
      await delay(random.whole(20, 300))
    }
    if (sending.ids.size > 0 && random.chance(0.05)) await this.#attempt(sending, conversation, text, random.one(this.#doors))
    if (sending.ids.size > 0 && random.chance(0.03)) await this.#contradict(sending, conversation)
  }

  /** One attempt. Some are given up before the answer can have come, some just when it may be on its way. */
  async #attempt(sending: Sending, conversation: Conversation, text: string, door: Door): Promise<void> {
    const drop = this.#random.chance(0.08) ? this.#random.whole(1, 25) : undefined
    const { clientMessageId } = sending
    const input = { conversationId: conversation.id, clientMessageId, text }
    const outcome = await ask(door, Send, { input }, this.accessToken, drop)
    this.#record.count(`send ${outcome.status}`)
    if (drop !== undefined) this.#record.count(outcome.status === 'lost' ? 'dropped answers' : 'answers faster than their drop')
    if (outcome.status === 'answered') {
      const { message, cursor } = outcome.data.sendMessage
      const isFirst = sending.ids.size === 0
      sending.ids.add(message.id)
      this.#note('send', cursor)
      if (!isFirst) return
      this.#record.count('sends acknowledged')
      this.#world.recent.push({ id: message.id, conversation, sender: this, seq: message.seq })
      if (this.#world.recent.length > recentMax) this.#world.recent.shift()
    } else if (outcome.status === 'refused' && (outcome.code === 'NOT_FOUND' || outcome.code === 'FORBIDDEN')) {
      sending.refusals.add(outcome.code)
      this.#record.count(`refused: ${outcome.code}`)
    } else {
      sending.unanswered += 1
      if (outcome.status === 'refused') this.#check('send', outcome)
    }
  }

  /** The same key with other content: a conflict, whenever it is answered. */
  async #contradict({ clientMessageId }: Sending, conversation: Conversation): Promise<void> {
    const input = { conversationId: conversation.id, clientMessageId, text: 'something else' }
    const outcome = await ask(this.#random.one(this.#doors), Send, { input }, this.accessToken)
    if (outcome.status === 'answered') this.#record.fault(`D2 ${clientMessageId} was taken twice, with other content`)
    if (outcome.status === 'refused') {
      this.#record.count(`contradicted: ${outcome.code}`)
      if (outcome.code !== 'IDEMPOTENCY_CONFLICT') this.#check('send', outcome)
    }
  }
}
