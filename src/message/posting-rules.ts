// Who may write in a group, and how often. Few groups have such a rule: a node keeps those in memory, and reads a rule again when its
// conversation has changed. So a send to any other conversation costs one look into a map. A rule that is being read delays the sends
// to its conversation alone.

import { can, type Kind, type Role } from '../conversation/capabilities.ts'
import { conversationKinds } from '../conversation/events.ts'
import { ParleyError } from '../errors.ts'
import type { ConversationId } from '../id.ts'
import type { Journal } from '../journal/journal.ts'
import type { Log } from '../log/log.ts'
import type { App } from '../parts.ts'
import { reportFailure } from '../store/postgres.ts'
import { type Reader, statement } from '../store/reader.ts'
import type { Viewer } from '../viewer.ts'

declare module '../parts.ts' {
  interface App {
    readonly postingRules: PostingRules
  }
}

/** The rule of a conversation, for members who may not announce. */
export type PostingRule = {
  /** How many seconds must pass between two messages of a member; 0 for none. */
  readonly slowModeS: number
  /** Whether they may not write at all. */
  readonly announcementsOnly: boolean
}

/** The rules of all conversations, as a node knows them. */
export type PostingRules = {
  /** The rule of a conversation; null if it has none. */
  of(conversationId: ConversationId): Promise<PostingRule | null> | PostingRule | null
}

const withRules = statement<{ id: ConversationId }>(
  'conversations_with_rules',
  'select id from conversation where slow_mode_s > 0 or announcements_only',
)
const ruleOf = statement<PostingRule>(
  'posting_rule',
  `select slow_mode_s as "slowModeS", announcements_only as "announcementsOnly" from conversation
    where id = $1 and (slow_mode_s > 0 or announcements_only)`,
)

/** Opens the rules of a node. */
export async function openPostingRules(journal: Journal, reader: Reader, log: Log): Promise<PostingRules> {
  /** The conversations that may have a rule. Null: it has to be read. */
  const rules = new Map<ConversationId, PostingRule | Promise<PostingRule | null> | null>()
  /** Whether it has all conversations with a rule. */
  let isComplete = false
  let reading: Promise<void> | undefined

  function read(id: ConversationId): Promise<PostingRule | null> {
    const found: Promise<PostingRule | null> = reader.rows(ruleOf, [id]).then(([rule]) => rule ?? null)
    rules.set(id, found)
    // A later read has taken its place if the conversation has changed again.
    const settle = (rule: PostingRule | null | undefined) => {
      if (rules.get(id) !== found) return
      if (rule === null) rules.delete(id)
      else rules.set(id, rule ?? null)
    }
    found.then(settle, () => settle(undefined))
    return found
  }
  /** Completes the map. It fails if Postgres does: the next send tries again. */
  function complete(): Promise<void> {
    reading ??= reader
      .rows(withRules, [])
      .then((found) => {
        for (const { id } of found) if (!rules.has(id)) rules.set(id, null)
        isComplete = true
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }

  journal.onFact(({ kind, conversationId }) => {
    if (kind !== conversationKinds.ConversationUpdated.number || conversationId === null) return
    read(conversationId).catch((error: unknown) => reportFailure(log, error, 'a posting rule could not be read'))
  })
  journal.onRestart(() => {
    for (const id of rules.keys()) rules.set(id, null)
    isComplete = false
    reading = undefined
    complete().catch((error: unknown) => reportFailure(log, error, 'the posting rules could not be read'))
  })
  await complete()
  function of(id: ConversationId): ReturnType<PostingRules['of']> {
    if (!isComplete) return complete().then(() => of(id))
    const known = rules.get(id)
    return known === undefined ? null : (known ?? read(id))
  }
  return { of }
}

/** What a rule makes of a message: it may be sent this many milliseconds after the sender's last one; 0: at any time. */
type Pace = number

const senderOf = statement<{ role: Role; kind: Kind; isKnown: boolean }>(
  'posting_sender',
  `select m.role, c.kind, exists (select 1 from message where client_message_id = $3::uuid and sender_id = $2) as "isKnown"
     from member m join conversation c on c.id = m.conversation_id where m.conversation_id = $1 and m.user_id = $2`,
)

/**
 * Checks that a rule lets the viewer write. A repeat passes, and for somebody who is no member the append says so.
 * @throws ParleyError FORBIDDEN
 */
export async function requireMayPost(
  by: Viewer,
  send: { readonly conversationId: ConversationId; readonly clientMessageId: string },
  rule: PostingRule,
  { store }: App,
): Promise<Pace> {
  const [sender] = await store.reader.rows(senderOf, [send.conversationId, by.userId, send.clientMessageId])
  if (!sender || sender.isKnown || can('ANNOUNCE', sender.kind, sender.role)) return 0
  if (rule.announcementsOnly) {
    throw new ParleyError('FORBIDDEN', 'Only the owner and admins of this group can write in it.')
  }
  return rule.slowModeS * 1_000
}
