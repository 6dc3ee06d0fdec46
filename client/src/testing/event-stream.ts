// The subscription `events`: SyncStarted, what was missed, CaughtUp, then live events; a Tick if there is nothing else.

import type * as api from '../generated/schema-types.ts'
import { acknowledge } from './actions.ts'
import type { ShownMarker } from './conversation-fields.ts'
import { pullStream } from './pull-stream.ts'
import { badInput, refuse } from './refusal.ts'
import { requireOwn, requireSession, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import type { TestFact, TestResetReason, TestStart } from './test-journal.ts'
import { membershipOf } from './visibility.ts'
import type { TestConversation, TestWorld } from './world.ts'

/** An event as the schema shows it. */
type ShownEvent = {
  readonly __typename: string
  readonly cursor: string
  readonly occurredAt: Date
  readonly fact: TestFact | null
  readonly mode?: TestStart['mode']
  readonly reason?: TestResetReason | null
  readonly count?: number
}

const tickMs = 20_000

function startOf(world: TestWorld, after: string | null, argument: string): TestStart {
  const start = world.journal.start(after)
  if (!start) throw badInput(argument, 'is not a cursor')
  return start
}

function watchEvents(
  _root: unknown,
  args: { after?: string | null; conversationId?: string | null },
  context: TestContext,
): AsyncIterableIterator<ShownEvent> {
  const { world } = context
  const { journal } = world
  const viewer = requireViewer(context)
  const conversationId =
    args.conversationId == null ? null : requireOwn(context, args.conversationId, 'conversationId').conversation.id
  const { position: first, mode, reason } = startOf(world, args.after ?? null, 'after')
  let position = first
  let phase: 'START' | 'MISSED' | 'LIVE' = 'START'
  let count = 0
  let isTickDue = false
  const control = (__typename: string, more: Partial<ShownEvent> = {}): ShownEvent => ({
    __typename,
    cursor: journal.cursor(position),
    occurredAt: new Date(),
    fact: null,
    ...more,
  })
  const take = () => {
    if (phase === 'START') {
      phase = 'MISSED'
      return control('SyncStarted', { mode, reason })
    }
    const fact = journal.next(position, viewer.id, conversationId)
    if (fact) {
      position = fact.position
      count += 1
      isTickDue = false
      return { __typename: fact.kind, cursor: journal.cursor(position), occurredAt: fact.at, fact }
    }
    position = journal.head
    if (phase === 'MISSED') {
      phase = 'LIVE'
      return control('CaughtUp', { count })
    }
    if (!isTickDue) return undefined
    isTickDue = false
    return control('Tick')
  }
  const listen = (wake: () => void) => {
    const unlisten = journal.onFacts(wake)
    const timer = setInterval(() => {
      isTickDue = true
      wake()
    }, tickMs)
    return () => {
      unlisten()
      clearInterval(timer)
    }
  }
  return pullStream({ take, listen })
}

/** What is common to all events. */
const common: TestFields = {
  cursor: ({ cursor }: ShownEvent) => cursor,
  occurredAt: ({ occurredAt }: ShownEvent) => occurredAt,
  audienceUser: () => null,
}
const conversationOf = ({ fact }: ShownEvent, _args: object, { world }: TestContext): TestConversation | undefined =>
  world.conversations.get(fact?.about.conversationId ?? '')
const ofConversation: TestFields = { ...common, conversation: conversationOf }
const ofMessage: TestFields = {
  ...ofConversation,
  message: ({ fact }: ShownEvent, _args: object, { world }: TestContext) => world.messages.get(fact?.about.messageId ?? ''),
}
const user = ({ fact }: ShownEvent, _args: object, { world }: TestContext) => world.users.get(fact?.about.userId ?? '')
const ofUser: TestFields = { ...common, user }
const markers = ({ fact }: ShownEvent): ShownMarker[] =>
  (fact?.about.markers ?? []).map((marker) => ({ conversationId: fact?.about.conversationId ?? '', ...marker }))
const member = (event: ShownEvent, args: object, context: TestContext) => {
  const conversation = conversationOf(event, args, context)
  const found = conversation?.members.get(event.fact?.about.userId ?? '')
  return conversation && found && membershipOf(context, conversation) ? { conversation, member: found } : null
}

export const eventFields: { readonly [type: string]: TestFields } = {
  SyncStarted: { ...common, mode: ({ mode }: ShownEvent) => mode, reason: ({ reason }: ShownEvent) => reason },
  CaughtUp: { ...common, count: ({ count }: ShownEvent) => count },
  Tick: common,
  MessageSent: ofMessage,
  MessageEdited: ofMessage,
  MessageDeleted: ofMessage,
  ReactionsChanged: ofMessage,
  PinsChanged: ofMessage,
  MessageHidden: ofMessage,
  MessageUnhidden: ofMessage,
  DraftChanged: ofConversation,
  ReadMarkersMoved: { ...ofConversation, markers },
  DeliveryMarkersMoved: { ...ofConversation, markers },
  ConversationAdded: ofConversation,
  ConversationUpdated: ofConversation,
  ConversationClosed: ofConversation,
  ConversationReopened: ofConversation,
  MemberJoined: { ...ofConversation, user, member, seq: ({ fact }: ShownEvent) => fact?.about.seq },
  MemberLeft: { ...ofConversation, user },
  MemberUpdated: { ...ofConversation, user, member },
  MembershipUpdated: { ...ofConversation, member },
  UserUpdated: ofUser,
  ContactChanged: ofUser,
  BlockChanged: ofUser,
  SessionRevoked: {
    ...common,
    session: ({ fact }: ShownEvent, _args: object, { world }: TestContext) => world.sessions.get(fact?.about.sessionId ?? ''),
  },
}

export const eventStreams: TestFields = { events: watchEvents }

export const syncMutations: TestFields = {
  acknowledge: (_root: unknown, { input }: { input: api.AcknowledgeInput }, context: TestContext) => {
    const session = requireSession(context)
    const { position, reason } = startOf(context.world, input.cursor, 'input.cursor')
    if (reason !== null) throw refuse('CURSOR_REFUSED', `The cursor is refused: ${reason}.`, 'input.cursor')
    session.acknowledged = Math.max(session.acknowledged ?? 0, position)
    acknowledge(context.world, requireViewer(context), position)
    return { session }
  },
}
