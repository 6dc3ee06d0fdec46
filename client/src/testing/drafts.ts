// Drafts: what a user has begun to write, on all of their devices.

import type * as api from '../generated/schema-types.ts'
import { done } from './actions.ts'
import { testLimits } from './message-mutations.ts'
import { badInput, refuse } from './refusal.ts'
import { requireOpen, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import { sightOf } from './visibility.ts'
import type { TestConversation } from './world.ts'

/** A draft as the schema shows it. */
type ShownDraft = { readonly conversationId: string; readonly userId: string } & TestDraft
type TestDraft = NonNullable<ReturnType<TestConversation['drafts']['get']>>

/** The draft of the viewer in a conversation. */
export function draftOf(conversation: TestConversation, _args: object, context: TestContext): ShownDraft | null {
  const { id: userId } = requireViewer(context)
  const draft = conversation.members.has(userId) ? conversation.drafts.get(userId) : undefined
  return draft ? { conversationId: conversation.id, userId, ...draft } : null
}

function saveDraft(_root: unknown, { input }: { input: api.SaveDraftInput }, context: TestContext) {
  const { conversation, member } = requireOpen(context, input.conversationId)
  const { text, replyToId = null } = input
  if ([...text].length > testLimits.messageTextMax)
    throw badInput('input.text', `must have at most ${testLimits.messageTextMax} characters`)
  const quoted = replyToId === null ? null : conversation.messages.find(({ id }) => id === replyToId)
  if (replyToId !== null && (!quoted || quoted.seq <= member.hiddenSeq))
    throw refuse('NOT_FOUND', 'The message that you reply to is not in this conversation.', 'input.replyToId')
  const known = conversation.drafts.get(member.userId)
  if ((known?.text ?? '') === text && (known?.replyToId ?? null) === replyToId) return done(context.world, null, { conversation })
  const fact = context.world.journal.append('DraftChanged', [member.userId], { conversationId: conversation.id })
  if (text === '' && replyToId === null) conversation.drafts.delete(member.userId)
  else conversation.drafts.set(member.userId, { text, replyToId, savedAt: fact.at })
  return done(context.world, fact, { conversation })
}

export const draftFields: { readonly [type: string]: TestFields } = {
  Draft: {
    id: ({ conversationId, userId }: ShownDraft) => `Draft:${conversationId}:${userId}`,
    text: ({ text }: TestDraft) => text,
    savedAt: ({ savedAt }: TestDraft) => savedAt,
    replyTo: ({ replyToId }: TestDraft, _args: object, context: TestContext) => {
      const quoted = replyToId === null ? undefined : context.world.messages.get(replyToId)
      return quoted && sightOf(context, quoted) === 'NOW' ? quoted : null
    },
  },
}

export const draftMutations: TestFields = { saveDraft }
