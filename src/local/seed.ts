// The sample data of the development stack: alice, bob, carol and dan, and a few conversations, the same on every first start. It
// uses the actions of users, each on behalf of its user. It runs only while no one has logged in; then repeating it changes
// nothing.

import type pg from 'pg'
import { signUp } from '../account/actions.ts'
import { startDirectConversation } from '../conversation/actions.ts'
import { createGroup } from '../conversation/group-actions.ts'
import { ParleyError } from '../errors.ts'
import { type ConversationId, conversationIdOf, type MessageId, sessionIdOf, userIdOf } from '../id.ts'
import { change } from '../message/change-actions.ts'
import { markRead } from '../message/read-marker-actions.ts'
import { sendMessage } from '../message/send-actions.ts'
import type { App } from '../parts.ts'
import { locks } from '../store/locks.ts'
import type { Viewer } from '../viewer.ts'

/** The seeded users and their common password. */
export const people = [
  { username: 'alice', displayName: 'Alice' },
  { username: 'bob', displayName: 'Bob' },
  { username: 'carol', displayName: 'Carol' },
  { username: 'dan', displayName: 'Dan' },
] as const
export const password = 'password'

type Username = (typeof people)[number]['username']
type Cast = Readonly<Record<Username, Viewer>>

/** The device name of a seeded user's first session. A user who has logged in has further sessions. */
const deviceName = 'Seed'
const groupTitle = 'Saturday hike'
/** If several nodes start at once, one of them seeds and the others wait for it. */
const lockSql = `set statement_timeout = '60s'; select pg_advisory_lock(${locks.seed.join(', ')})`
const lockMs = 60_000

/**
 * Creates missing users, and the conversations if no seeded user has logged in. The next start completes what a killed start has
 * left undone.
 */
export async function seed(app: App): Promise<void> {
  const lock = await app.store.jobs.pool.connect()
  try {
    await lock.query({ text: lockSql, query_timeout: lockMs } as pg.QueryConfig)
    for (const user of people) await createUser(user, app)
    const cast = await findUntouched(app)
    if (cast) await talk(cast, app)
  } catch (error) {
    // The data was changed by other means than a log-in: leave it as it is.
    if (!(error instanceof ParleyError) || error.isRetryable) throw error
    app.log.info({ err: error }, 'the conversations of the seed do not fit the existing data, and were not created')
  } finally {
    lock.release(true) // the lock ends with the connection
  }
}

async function createUser(user: (typeof people)[number], app: App): Promise<void> {
  if ((await app.store.prisma.user.count({ where: { username: user.username } })) > 0) return
  await signUp({ ...user, password, deviceName, deviceKind: 'OTHER', invitation: null }, '', app).catch((error: unknown) => {
    if (!(error instanceof ParleyError && error.code === 'USERNAME_TAKEN')) throw error
  })
}

/** The four users, if each has only the session of the seed; null if one of them has logged in. */
async function findUntouched(app: App): Promise<Cast | null> {
  const sessions = await app.store.prisma.session.findMany({
    where: { user: { username: { in: people.map(({ username }) => username) } } },
    select: { id: true, userId: true, deviceName: true, user: { select: { username: true } } },
    take: people.length + 1,
  })
  const isUntouched = sessions.length === people.length && sessions.every((session) => session.deviceName === deviceName)
  if (!isUntouched) return null
  const viewers = sessions.map(({ id, userId, user }) => [
    user.username,
    { userId: userIdOf(userId), sessionId: sessionIdOf(id) },
  ])
  return Object.fromEntries(viewers) as Cast
}

/** Creates the conversations. Each step may be repeated: messages have fixed keys, and the other steps are idempotent. */
async function talk({ alice, bob, carol, dan }: Cast, app: App): Promise<void> {
  let messages = 0
  const sayIn =
    (conversationId: ConversationId) => async (by: Viewer, text: string, replyTo?: { id: MessageId }, mentioned?: Viewer) => {
      messages += 1
      const clientMessageId = `5eed0000-0000-4000-8000-${String(messages).padStart(12, '0')}`
      const mentionedUserIds = mentioned ? [mentioned.userId] : []
      const send = {
        conversationId,
        clientMessageId,
        text,
        replyToId: replyTo?.id ?? null,
        mentionedUserIds,
        attachmentIds: [],
        data: null,
        sealed: null,
      }
      return (await sendMessage(by, send, app)).message
    }
  const react = (by: Viewer, emoji: string, { id }: { id: MessageId }) =>
    change({ change: 'react', messageId: id, actorId: by.userId, emoji }, app)

  const hike = (await findGroup(carol, app)) ?? (await createHike(carol, [alice, bob, dan], app))
  const inHike = sayIn(hike)
  const plan = await inHike(carol, 'Shall we walk up to the lake on Saturday? I would say we meet at 9 at the station.')
  const late = await inHike(dan, 'Can we make it 10? My train comes in at 9:40.', plan)
  const ten = await inHike(alice, '10 is fine with me, too.', late)
  const settled = await inHike(carol, 'Then 10 it is. I bring coffee ☕', ten)
  await react(alice, '🎉', settled)
  await react(dan, '👍', settled)
  const map = await inHike(bob, '@alice, do you still have the map from last time?', undefined, alice)
  const newest = await inHike(dan, 'If not, I can print one.', map)

  const { conversationId } = await startDirectConversation(bob, alice.userId, 'NONE', app)
  const inDirect = sayIn(conversationId)
  const question = await inDirect(bob, 'Hi Alice! Are you coming on Saturday?')
  const answer = await inDirect(alice, 'Of course. What should I bring?', question)
  await react(bob, '❤️', answer)
  const last = await inDirect(bob, 'Good shoes, and your camera 📷', answer)

  // Alice has unread messages in both conversations; the others have read everything.
  const marks = [
    [alice, hike, settled.seq],
    [bob, hike, newest.seq],
    [carol, hike, newest.seq],
    [dan, hike, newest.seq],
    [alice, conversationId, answer.seq],
    [bob, conversationId, last.seq],
  ] as const
  await Promise.all(marks.map(([by, id, seq]) => markRead(by, id, seq, app)))
}

/** The group, if a killed start has created it. */
async function findGroup(owner: Viewer, app: App): Promise<ConversationId | null> {
  const members = { some: { userId: owner.userId, role: 'OWNER' } } as const
  const known = await app.store.prisma.conversation.findFirst({ where: { kind: 'GROUP', title: groupTitle, members } })
  return known && conversationIdOf(known.id)
}

async function createHike(by: Viewer, others: readonly Viewer[], app: App): Promise<ConversationId> {
  const said = { title: groupTitle, description: 'To the lake and back', data: null }
  const settings = { ...said, historyVisibility: 'ALL', encryption: 'NONE' } as const
  const { conversationId } = await createGroup(
    by,
    settings,
    others.map(({ userId }) => userId),
    app,
  )
  return conversationId
}
