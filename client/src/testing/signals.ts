// Typing, presence and the signals of apps: signals, which are never stored.

import type * as api from '../generated/schema-types.ts'
import { type PullSource, pullStream } from './pull-stream.ts'
import { badInput, notFound, refuse } from './refusal.ts'
import { checkId, requireOpen, requireSession, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import type { TestSignal, TestUser, TestWorld } from './world.ts'

const lapsesMs = 6_000
const onlineMs = 30_000
const watchedMax = 200

/** Who is typing, by conversation and user, with the timers that end it. */
const typing = new WeakMap<TestWorld, Map<string, Map<string, ReturnType<typeof setTimeout>>>>()

function typistsOf(world: TestWorld, conversationId: string): Map<string, ReturnType<typeof setTimeout>> {
  const all = typing.get(world) ?? new Map<string, Map<string, ReturnType<typeof setTimeout>>>()
  const typists = all.get(conversationId) ?? new Map<string, ReturnType<typeof setTimeout>>()
  typing.set(world, all.set(conversationId, typists))
  return typists
}

/** Ends the typing of a user, if they are. */
export function stopTyping(world: TestWorld, conversationId: string, userId: string): void {
  const typists = typistsOf(world, conversationId)
  clearTimeout(typists.get(userId))
  if (typists.delete(userId)) world.signal()
}

/** Ends all typing: the server is closed. */
export function stopAllTyping(world: TestWorld): void {
  for (const typists of typing.get(world)?.values() ?? []) for (const timer of typists.values()) clearTimeout(timer)
  typing.delete(world)
}

function setTyping(_root: unknown, { input }: { input: api.SetTypingInput }, context: TestContext) {
  const { world } = context
  const { conversation, member } = requireOpen(context, input.conversationId)
  const { userId } = member
  if (!input.typing) {
    stopTyping(world, conversation.id, userId)
    return { lapsesAt: null }
  }
  const typists = typistsOf(world, conversation.id)
  const isNew = !typists.has(userId)
  clearTimeout(typists.get(userId))
  typists.set(
    userId,
    setTimeout(() => stopTyping(world, conversation.id, userId), lapsesMs),
  )
  if (isNew) world.signal()
  return { lapsesAt: new Date(Date.now() + lapsesMs) }
}

/** A source that gives a value whenever it differs from the last one. */
function changesOf<Value>(world: TestWorld, read: () => Value): PullSource<Value> {
  let told: string | null = null
  return {
    take: () => {
      const value = read()
      const text = JSON.stringify(value)
      if (text === told) return undefined
      told = text
      return value
    },
    listen: (wake) => world.onSignal(wake),
  }
}

function watchTyping(_root: unknown, args: { conversationId: string }, context: TestContext) {
  const { conversation, member } = requireOpen(context, args.conversationId, 'conversationId')
  const isMember = () => conversation.members.has(member.userId)
  const read = () => {
    const ids = isMember() ? [...typistsOf(context.world, conversation.id).keys()] : []
    return { conversationId: conversation.id, userIds: ids.filter((id) => id !== member.userId) }
  }
  return pullStream(changesOf(context.world, read))
}

/** The presence of a user as the schema shows it. */
type PresenceShown = { readonly userId: string; readonly state: api.PresenceState; readonly lastActiveAt: Date | null }

/** Whether a user may see the presence of another. */
function isVisible({ world }: TestContext, viewer: TestUser, userId: string): boolean {
  if (viewer.id === userId) return true
  const isContact = world.contactOf(viewer.id, userId)?.acceptedAt != null
  return isContact || world.haveShared(viewer.id, userId)
}

/** The presence of a user as the viewer sees it. A block looks like an absence. */
function presenceOf(context: TestContext, viewer: TestUser, userId: string): PresenceShown {
  const { world } = context
  const isHidden = !isVisible(context, viewer, userId) || world.isBlocked(viewer.id, userId)
  const lastActiveAt = isHidden ? null : (world.users.get(userId)?.lastActiveAt ?? null)
  return { userId, state: isHidden ? 'OFFLINE' : world.presenceOf(userId), lastActiveAt }
}

/** The presence of a user; null if the viewer may not see it. */
export function findPresence(user: TestUser, _args: object, context: TestContext): PresenceShown | null {
  const viewer = requireViewer(context)
  return isVisible(context, viewer, user.id) ? presenceOf(context, viewer, user.id) : null
}

function watchPresence(_root: unknown, args: { userIds: readonly string[] }, context: TestContext) {
  const viewer = requireViewer(context)
  const userIds = args.userIds.map((id) => checkId('User', id, 'userIds'))
  if (userIds.length === 0) throw badInput('userIds', 'must contain at least one ID')
  if (userIds.length > watchedMax)
    throw refuse('LIMIT_EXCEEDED', `You can follow at most ${watchedMax} users at once.`, 'userIds')
  if (!userIds.every((id) => isVisible(context, viewer, id))) throw notFound('User')
  const sources = userIds.map((id) => changesOf(context.world, () => presenceOf(context, viewer, id)))
  return pullStream<PresenceShown>({
    take: () => {
      for (const source of sources) {
        const value = source.take()
        if (value !== undefined) return value
      }
      return undefined
    },
    listen: (wake) => context.world.onSignal(wake),
  })
}

function heartbeat(_root: unknown, { input }: { input?: api.HeartbeatInput | null }, context: TestContext) {
  const { connection, world } = context
  requireSession(context)
  const isIdle = input?.idle ?? false
  if (connection && connection.isIdle !== isIdle) {
    connection.isIdle = isIdle
    world.signal()
  }
  return { onlineUntil: new Date(Date.now() + onlineMs), state: isIdle ? 'IDLE' : 'ONLINE' }
}

const [signalBytesMax, signalsWaitingMax] = [1_024, 100]

function sendSignal(_root: unknown, { input }: { input: api.SendSignalInput }, context: TestContext) {
  const { id: sessionId } = requireSession(context)
  const { kind, data = null } = input
  if (!/^[A-Za-z0-9._-]{1,50}$/.test(kind)) throw badInput('input.kind', 'must have 1 to 50 letters, digits, ".", "_" or "-"')
  if (new TextEncoder().encode(JSON.stringify(data)).length > signalBytesMax)
    throw badInput('input.data', `must have at most ${signalBytesMax} bytes of JSON`)
  const { conversation, member } = requireOpen(context, input.conversationId)
  const sentAt = new Date()
  const signal = { conversationId: conversation.id, senderId: member.userId, sessionId, kind, data, sentAt }
  for (const watcher of [...context.world.signalWatchers]) watcher(signal)
  return { sentAt }
}

function watchSignals(_root: unknown, args: { conversationId: string }, context: TestContext) {
  const { id: sessionId } = requireSession(context)
  const { conversation, member } = requireOpen(context, args.conversationId, 'conversationId')
  const waiting: TestSignal[] = []
  return pullStream<TestSignal>({
    take: () => waiting.shift(),
    listen: (wake) => {
      const watcher = (signal: TestSignal) => {
        const isFor = signal.conversationId === conversation.id && conversation.members.has(member.userId)
        if (!isFor || signal.sessionId === sessionId) return
        waiting.push(signal)
        if (waiting.length > signalsWaitingMax) waiting.shift()
        wake()
      }
      context.world.signalWatchers.add(watcher)
      return () => context.world.signalWatchers.delete(watcher)
    },
  })
}

export const signalMutations: TestFields = { setTyping, heartbeat, sendSignal }
/** The subscriptions to signals: what they stream. */
export const signalStreams: TestFields = { typing: watchTyping, presence: watchPresence, signals: watchSignals }
export const signalFields: { readonly [type: string]: TestFields } = {
  TypingState: {
    conversationId: ({ conversationId }: { conversationId: string }) => conversationId,
    users: ({ userIds }: { userIds: readonly string[] }, _args: object, { world }: TestContext) =>
      userIds.map((id) => world.users.get(id)),
  },
  Signal: {
    conversationId: ({ conversationId }: TestSignal) => conversationId,
    kind: ({ kind }: TestSignal) => kind,
    data: ({ data }: TestSignal) => data,
    sentAt: ({ sentAt }: TestSignal) => sentAt,
    sender: ({ senderId }: TestSignal, _args: object, { world }: TestContext) => world.users.get(senderId),
  },
  Presence: {
    id: ({ userId }: PresenceShown) => `Presence:${userId}`,
    state: ({ state }: PresenceShown) => state,
    lastActiveAt: ({ lastActiveAt }: PresenceShown) => lastActiveAt,
    user: ({ userId }: PresenceShown, _args: object, { world }: TestContext) => world.users.get(userId),
  },
}
