// What may be read of presence: that of contacts, and of people who share a conversation with the viewer.

import { notFound, ParleyError } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { batched } from '../graphql/loader.ts'
import { type Relation, readRelations, readStandings, type Standing } from '../signal/presence-tables.ts'
import type { Seen } from '../signal/seen.ts'

/** How many users one subscription follows. */
export const watchedMax = 200

/** What the viewer sees of a user now; null for who is not theirs to see, and while it can't be known (Redis is away). */
export const findSeen = batched(async (context, userIds: readonly number[]): Promise<ReadonlyMap<number, Seen>> => {
  const { userId } = requireViewer(context)
  return context.app.presence.read(userId, userIds).catch((error: unknown) => {
    context.app.log.debug({ err: error }, 'presence could not be read')
    return new Map()
  })
})

/**
 * What the viewer is to all of these users.
 * @throws ParleyError LIMIT_EXCEEDED for more than can be followed at once, NOT_FOUND where one of them is not theirs to see
 */
export async function requireRelations(context: Context, userIds: readonly number[]): Promise<Relation[]> {
  const { userId } = requireViewer(context)
  const distinct = [...new Set(userIds)]
  if (distinct.length > watchedMax) {
    throw new ParleyError('LIMIT_EXCEEDED', `At most ${watchedMax} users can be followed at once`, { argument: 'userIds' })
  }
  const relations = await readRelations(
    context.reader,
    distinct.map((id) => [userId, id] as const),
  )
  if (relations.length < distinct.length) throw notFound('User')
  return relations
}

/** What the viewer chose to be seen as. */
export async function readOwnStanding(context: Context): Promise<Standing> {
  const [standing] = await readStandings(context.reader, [requireViewer(context).userId])
  if (!standing) throw notFound('User')
  return standing
}
