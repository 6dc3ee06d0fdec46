// What may be read of presence: that of contacts, and of people who share a conversation with the viewer.

import { notFound, ParleyError } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { viewerLoader } from '../graphql/loader.ts'
import { type PresenceSettings, readPresenceSettings, readRelations, type ViewerRelation } from './tables.ts'
import type { VisiblePresence } from './visible-presence.ts'

/** How many users one subscription follows. */
export const watchedMax = 200

/** What the viewer sees of a user now; null for who is not theirs to see, and while it can't be known (Redis is away). */
export const findVisiblePresence = viewerLoader(
  async (context, userIds: readonly number[]): Promise<ReadonlyMap<number, VisiblePresence>> => {
    const { userId } = requireViewer(context)
    const { app } = context
    try {
      const visible = await app.presence.read(userId, userIds)
      // It rests on rows that were read past the reader of events: what they show is on disk (B1).
      if (context.scope !== null) await app.store.flush()
      return visible
    } catch (error) {
      app.log.debug({ err: error }, 'presence could not be read')
      return new Map()
    }
  },
)

/**
 * What the viewer is to all of these users.
 * @throws ParleyError LIMIT_EXCEEDED for more than can be followed at once, NOT_FOUND where one of them is not theirs to see
 */
export async function requireRelations(context: Context, userIds: readonly number[]): Promise<ViewerRelation[]> {
  const { userId } = requireViewer(context)
  const distinct = [...new Set(userIds)]
  if (distinct.length > watchedMax) {
    throw new ParleyError('LIMIT_EXCEEDED', `You can follow at most ${watchedMax} users at once.`, { argument: 'userIds' })
  }
  const relations = await readRelations(
    context.reader,
    distinct.map((id) => [userId, id] as const),
  )
  if (relations.length < distinct.length) throw notFound('User')
  return relations
}

/** What the viewer chose to be seen as. */
export async function readOwnPresenceSettings(context: Context): Promise<PresenceSettings> {
  const [settings] = await readPresenceSettings(context.reader, [requireViewer(context).userId])
  if (!settings) throw notFound('User')
  return settings
}
