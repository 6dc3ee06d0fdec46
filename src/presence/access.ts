// Reads presence. The viewer can see contacts and people who share a conversation with them.

import { notFound, ParleyError } from '../errors.ts'
import { type Context, requireViewer } from '../graphql/context.ts'
import { viewerLoader } from '../graphql/loader.ts'
import type { UserId } from '../id.ts'
import { type PresenceSettings, readPresenceSettings, readRelations, type ViewerRelation } from './tables.ts'
import type { VisiblePresence } from './visible-presence.ts'

/** The most users that one subscription follows. */
export const watchedMax = 200

/** Finds the current presence of a user; null if the viewer may not see it, and while Redis is away. */
export const findVisiblePresence = viewerLoader(
  async (context, userIds: readonly UserId[]): Promise<ReadonlyMap<UserId, VisiblePresence>> => {
    const { userId } = requireViewer(context)
    const { app } = context
    try {
      const visible = await app.presence.read(userId, userIds)
      // It depends on rows that were not read through the events' reader: wait until they are on disk (B1).
      if (context.scope !== null) await app.store.flush()
      return visible
    } catch (error) {
      app.log.debug({ err: error }, 'presence could not be read')
      return new Map()
    }
  },
)

/**
 * Reads the viewer's relations to all of these users.
 * @throws ParleyError LIMIT_EXCEEDED if there are more than `watchedMax`, NOT_FOUND if the viewer may not see one of them
 */
export async function requireRelations(context: Context, userIds: readonly UserId[]): Promise<ViewerRelation[]> {
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

/** Reads the viewer's own presence settings. */
export async function readOwnPresenceSettings(context: Context): Promise<PresenceSettings> {
  const [settings] = await readPresenceSettings(context.reader, [requireViewer(context).userId])
  if (!settings) throw notFound('User')
  return settings
}
