// Reads notification settings, registrations and decisions. Users see only their own.

import type { DefaultConnectionArguments } from '@pothos/plugin-relay'
import { type Context, requireViewer } from '../graphql/context.ts'
import { indexBy, viewerLoader } from '../graphql/loader.ts'
import { type Page, readPage } from '../graphql/page.ts'
import type { ConversationId, MessageId, SessionId } from '../id.ts'
import { statement } from '../store/reader.ts'
import { defaultWishes, type PushLevel, type SkipReason, type Wishes } from './decide.ts'
import type { failReasons } from './jobs/deliveries.ts'
import type { Registration } from './providers/provider.ts'

/** A registration as its own user sees it: without the address. */
export type RegistrationRow = {
  readonly sessionId: SessionId
  readonly provider: Registration['provider']
  readonly platform: string
  readonly registeredAt: Date
  readonly sentAt: Date | null
  readonly failingSince: Date | null
}

/** A decision about a notification. */
export type DecisionRow = {
  readonly id: number
  readonly conversationId: ConversationId | null
  readonly messageId: MessageId | null
  readonly sessionId: SessionId | null
  readonly outcome: 'QUEUED' | 'SENT' | 'SKIPPED' | 'FAILED'
  readonly reason: SkipReason | keyof typeof failReasons | null
  readonly decidedAt: Date
  readonly sentAt: Date | null
}

const settings = statement<Wishes>(
  'push_settings',
  `select level, shows_text as "showsText", time_zone as "timeZone", quiet_hours as "quietHours",
     quiet_except_direct as "quietExceptDirect", quiet_except_mentions as "quietExceptMentions" from push_settings where user_id = $1`,
)
const registrations = statement<RegistrationRow>(
  'push_registrations_of_sessions',
  `select session_id as "sessionId", provider, platform, registered_at as "registeredAt", sent_at as "sentAt",
     failing_since as "failingSince" from push_registration where user_id = $1 and session_id = any($2::bigint[])`,
)
const levels = statement<{ conversationId: ConversationId; level: PushLevel }>(
  'push_levels',
  `select conversation_id as "conversationId", push_level as level from member
    where user_id = $1 and conversation_id = any($2::bigint[]) and push_level is not null`,
)
const decisions = `select id, conversation_id as "conversationId", message_id as "messageId", session_id as "sessionId", outcome, reason,
   decided_at as "decidedAt", sent_at as "sentAt" from push_delivery
  where user_id = $1 and kind <> 'CLEAR' and id > $2 and id < $3`
const decisionsNewestFirst = statement<DecisionRow>('push_decisions_newest_first', `${decisions} order by id desc limit $4`)
const decisionsOldestFirst = statement<DecisionRow>('push_decisions_oldest_first', `${decisions} order by id limit $4`)

/** Reads the viewer's notification settings. */
export async function readSettings(context: Context): Promise<Wishes> {
  const [row] = await context.reader.rows(settings, [requireViewer(context).userId])
  return row ?? defaultWishes
}

/** Finds the registration of one of the viewer's sessions; null if it has none. */
export const findRegistration = viewerLoader(async ({ reader, caller }, sessionIds: readonly SessionId[]) =>
  indexBy(await reader.rows(registrations, [caller.viewer?.userId ?? 0, sessionIds]), (row) => row.sessionId),
)

/** Finds the viewer's level for a conversation; null if the level of the account applies. */
export const findLevel = viewerLoader(async ({ reader, caller }, conversationIds: readonly ConversationId[]) => {
  const rows = await reader.rows(levels, [caller.viewer?.userId ?? 0, conversationIds])
  return new Map(rows.map(({ conversationId, level }) => [conversationId, level]))
})

/** Reads a page of the decisions about the viewer's notifications, newest first. */
export function readDecisions(context: Context, args: DefaultConnectionArguments): Promise<Page<DecisionRow>> {
  const { userId } = requireViewer(context)
  return readPage(
    args,
    ({ id }) => id,
    ({ after, before, from, limit }) =>
      context.reader.rows(from === 'START' ? decisionsNewestFirst : decisionsOldestFirst, [
        userId,
        before ?? -1,
        after ?? Number.MAX_SAFE_INTEGER,
        limit,
      ]),
  )
}
