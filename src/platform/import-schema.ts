// The schema of imports from another system.

import { z } from 'zod'
import { externalIdForm, externalIdRule } from '../account/external-id.ts'
import { tenantForm, tenantRule } from '../account/tenant.ts'
import { descriptionMax, titleMax } from '../conversation/group-schema.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { MemberRole } from '../conversation/schema.ts'
import { badInput } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireKey } from '../graphql/context.ts'
import { customData, customDataRule } from '../graphql/custom-data.ts'
import { line, parseInput, perLimit, prose, requirePast } from '../graphql/input.ts'
import { encodeId, parseId, type UserId } from '../id.ts'
import type { ImportOutcome } from '../message/import.ts'
import { audited } from './audit.ts'
import { requireAllNamed } from './conversations-schema.ts'
import { completeImport, importConversation, importMessages } from './import-actions.ts'

/** The most messages of one `importMessages`, users that one of them mentions, and members of one conversation. */
const [messagesMax, mentionsMax, membersMax] = [100, 50, 1_000] as const

const ImportConversationInput = builder.inputType('ImportConversationInput', {
  description: 'Input for `importConversation`.',
  fields: (t) => ({
    externalId: t.string({ description: `The ID by which the other system knows the conversation: ${externalIdRule}.` }),
    tenant: t.string({ required: false, description: `The tenant: ${tenantRule}. By default that of the key, or none.` }),
    title: t.string({ required: false, description: `The title of a group: 1 to ${titleMax} characters on one line.` }),
    description: t.string({
      required: false,
      description: `What a group is about: 1 to ${descriptionMax} characters.`,
    }),
    memberIds: t.idList({
      required: false,
      description: 'The two people of a direct conversation, by ID or `externalId`. Null or omitted for a group.',
    }),
    createdAt: t.field({ type: 'DateTime', required: false, description: 'When the conversation began. By default now.' }),
    data: t.field({ type: 'JSON', required: false, description: `Custom data: ${customDataRule}.` }),
  }),
})
const conversationForm = z
  .object({
    externalId: externalIdForm,
    tenant: tenantForm.nullish(),
    title: line(titleMax).nullish(),
    description: prose(descriptionMax).nullish(),
    memberIds: z.array(z.string()).length(2, 'must be two people').nullish(),
    createdAt: z.date().nullish(),
    data: customData,
  })
  .refine(({ title, memberIds }) => (title == null) === (memberIds != null), {
    path: ['title'],
    message: 'must be given for groups, and only for them',
  })

const ImportedMessageInput = builder.inputType('ImportedMessageInput', {
  description: 'A message of another system.',
  fields: (t) => ({
    externalId: t.string({
      description: `The ID by which the other system knows the message: ${externalIdRule}. In its conversation, the same one is the same message.`,
    }),
    senderId: t.id({
      required: false,
      description: 'Who wrote it, by ID or `externalId`, also if they are no member. Null for a system message.',
    }),
    text: t.string({ description: 'The text: at least one visible character, with the limits of `sendMessage`.' }),
    createdAt: t.field({ type: 'DateTime', description: 'When it was written.' }),
    replyToExternalId: t.string({
      required: false,
      description: 'The `externalId` of the message that it replies to, which comes before it.',
    }),
    mentionedUserIds: t.idList({
      required: false,
      description: `The users that it mentions, by ID or \`externalId\`: at most ${mentionsMax}.`,
    }),
    data: t.field({ type: 'JSON', required: false, description: `Custom data: ${customDataRule}.` }),
  }),
})
const ImportMessagesInput = builder.inputType('ImportMessagesInput', {
  description: 'Input for `importMessages`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, from `importConversation`.' }),
    messages: t.field({ type: [ImportedMessageInput], description: `1 to ${messagesMax} messages, the oldest first.` }),
  }),
})
const messagesForm = perLimit((textMax) =>
  z.object({
    conversationId: z.string(),
    messages: z
      .array(
        z.object({
          externalId: externalIdForm,
          senderId: z.string().nullish(),
          text: prose(textMax),
          createdAt: z.date(),
          replyToExternalId: externalIdForm.nullish(),
          mentionedUserIds: z.array(z.string()).max(mentionsMax, `must have at most ${mentionsMax} IDs`).nullish(),
          data: customData,
        }),
      )
      .min(1, 'must have at least one message')
      .max(messagesMax, `must have at most ${messagesMax} messages`),
  }),
)

type RefusedMessage = { readonly externalId: string; readonly reason: Exclude<ImportOutcome, 'STORED' | 'REPEATED'> }
type Imported = { readonly stored: number; readonly repeated: number; readonly refused: readonly RefusedMessage[] }

const ImportRefusalReason = builder.enumType('ImportRefusalReason', {
  description: 'Why a message was not imported.',
  values: {
    CONFLICT: { description: 'There is another message with this `externalId` in the conversation.' },
    IMPORT_OVER: { description: 'The conversation has members already.' },
    NOTHING_TO_REPLY_TO: { description: 'The message that it replies to is not in the conversation.' },
    OUT_OF_ORDER: { description: 'It is older than the newest message of the conversation.' },
  } as const,
})
const ImportRefusal = builder.objectRef<RefusedMessage>('ImportRefusal').implement({
  description: 'A message that was not imported.',
  fields: (t) => ({
    externalId: t.exposeString('externalId', { description: 'The ID of the message in the other system.' }),
    reason: t.expose('reason', { type: ImportRefusalReason, description: 'Why it was not imported.' }),
  }),
})
const ImportMessagesPayload = builder.objectRef<Imported>('ImportMessagesPayload').implement({
  description: 'The result of `importMessages`. What it counts is committed.',
  fields: (t) => ({
    stored: t.exposeInt('stored', { description: 'How many messages are new.' }),
    repeated: t.exposeInt('repeated', { description: 'How many messages had been imported before.' }),
    refused: t.field({
      type: [ImportRefusal],
      description: 'The messages that were not imported. The others were.',
      resolve: ({ refused }) => [...refused],
    }),
  }),
})

const ImportedMemberInput = builder.inputType('ImportedMemberInput', {
  description: 'A member of an imported group.',
  fields: (t) => ({
    userId: t.id({ description: 'The user, by ID or `externalId`.' }),
    role: t.field({ type: MemberRole, required: false, description: 'The role. Defaults to MEMBER.' }),
  }),
})
const CompleteImportInput = builder.inputType('CompleteImportInput', {
  description: 'Input for `completeImport`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation, from `importConversation`.' }),
    members: t.field({
      type: [ImportedMemberInput],
      required: false,
      description:
        'The members of a group, each once. The one with the role OWNER owns it, or else the first one. Omitted for a direct conversation.',
    }),
  }),
})
const completeForm = z.object({
  conversationId: z.string(),
  members: z
    .array(z.object({ userId: z.string(), role: z.enum(['OWNER', 'ADMIN', 'MEMBER']).nullish() }))
    .max(membersMax, `must have at most ${membersMax} members`)
    .nullish(),
})

async function storeMessages(input: typeof ImportMessagesInput.$inferInput, context: Context): Promise<Imported> {
  const key = requireKey(context, 'IMPORT')
  const { conversationId, messages } = parseInput(messagesForm(context.app.config.limits.messageTextMax), input)
  for (const [i, { createdAt }] of messages.entries()) requirePast(`messages.${i}.createdAt`, createdAt, context.app.clock)
  const names = new Set(messages.flatMap(({ senderId, mentionedUserIds }) => [senderId ?? null, ...(mentionedUserIds ?? [])]))
  names.delete(null)
  const listed = [...names] as string[]
  const ids = await requireAllNamed(context, listed, 'input.messages', false)
  const idOf = new Map(listed.map((name, i) => [name, ids[i] as UserId]))
  await audited(context, 'importMessages', [conversationId])
  const outcomes = await importMessages(
    key,
    parseId('Conversation', conversationId, 'input.conversationId'),
    messages.map(({ externalId, senderId, text, createdAt, replyToExternalId, mentionedUserIds, data }) => ({
      externalId,
      senderId: senderId == null ? null : (idOf.get(senderId) as UserId),
      text,
      createdAt: createdAt.getTime(),
      replyToExternalId: replyToExternalId ?? null,
      mentionedUserIds: [...new Set((mentionedUserIds ?? []).map((name) => idOf.get(name) as UserId))],
      data: data ?? null,
    })),
    context.app,
  )
  const count = (wanted: ImportOutcome) => outcomes.filter((outcome) => outcome === wanted).length
  const refused = outcomes.flatMap((reason, i) =>
    reason === 'STORED' || reason === 'REPEATED' ? [] : [{ externalId: messages[i]?.externalId ?? '', reason }],
  )
  return { stored: count('STORED'), repeated: count('REPEATED'), refused }
}

builder.mutationFields((t) => ({
  importConversation: t.field({
    type: conversationPayload('ImportConversationPayload', 'importConversation'),
    complexity: 100,
    description:
      'Begins to import a conversation from another system: nobody has it until `completeImport`. Repeating it finds the same one. Needs a server key with the scope IMPORT. Errors: BAD_INPUT, NOT_FOUND, EXTERNAL_ID_TAKEN, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: ImportConversationInput, description: 'The conversation to import.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'IMPORT')
      const { memberIds, ...given } = parseInput(conversationForm, input)
      requirePast('createdAt', given.createdAt, context.app.clock)
      const pair = memberIds ? await requireAllNamed(context, memberIds, 'input.memberIds') : null
      if (pair && pair.length !== 2) throw badInput('input.memberIds', 'must be two people')
      const conversation = {
        externalId: given.externalId,
        tenant: given.tenant ?? null,
        title: given.title ?? null,
        description: given.description ?? null,
        data: given.data ?? null,
        createdAt: given.createdAt ?? null,
        pair: pair as readonly [UserId, UserId] | null,
      }
      const done = await importConversation(key, conversation, context.app)
      await audited(context, 'importConversation', [encodeId('Conversation', done.conversationId)])
      return done
    },
  }),
  importMessages: t.field({
    type: ImportMessagesPayload,
    complexity: 100,
    description:
      'Stores messages of another system in a conversation that is being imported, with their own times. Repeating it changes nothing, so an import that broke off can begin again. Needs a server key with the scope IMPORT. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN, UNAVAILABLE; for single messages `refused`.',
    args: { input: t.arg({ type: ImportMessagesInput, description: 'The messages to import.' }) },
    resolve: (_root, { input }, context) => storeMessages(input, context),
  }),
  completeImport: t.field({
    type: conversationPayload('CompleteImportPayload', 'completeImport'),
    complexity: 100,
    description:
      'Completes the import of a conversation: its members join, see all of it, and have read all of it. Nobody is notified. Repeating it changes nothing. Complete conversations in the order of their last messages: that is their order in lists. Needs a server key with the scope IMPORT. Errors: BAD_INPUT, NOT_FOUND, LIMIT_EXCEEDED, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: CompleteImportInput, description: 'The conversation, and who is in it.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'IMPORT')
      const { conversationId, members } = parseInput(completeForm, input)
      const ids = await requireAllNamed(context, members?.map(({ userId }) => userId) ?? [], 'input.members', false)
      if (new Set(ids).size !== ids.length) throw badInput('input.members', 'must name each user once')
      const id = parseId('Conversation', conversationId, 'input.conversationId')
      const joined = members?.map(({ role }, i) => ({ userId: ids[i] as UserId, role: role ?? ('MEMBER' as const) })) ?? null
      await audited(context, 'completeImport', [conversationId])
      return completeImport(key, id, joined, context.app)
    },
  }),
}))
