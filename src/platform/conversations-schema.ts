// The schema of what a backend does with conversations: it makes and changes groups by its own ids, and sends system messages.

import { z } from 'zod'
import { externalIdForm, externalIdRule, findNamed } from '../account/external-id.ts'
import { tenantForm, tenantRule } from '../account/tenant.ts'
import { findConversation } from '../conversation/access.ts'
import { descriptionMax, titleMax } from '../conversation/group-schema.ts'
import { conversationPayload } from '../conversation/mutations.ts'
import { Conversation, HistoryVisibility } from '../conversation/schema.ts'
import { notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireKey } from '../graphql/context.ts'
import { customData, customDataRule } from '../graphql/custom-data.ts'
import { line, parseInput, perLimit, prose, uuid } from '../graphql/input.ts'
import { encodeId, parseId, type UserId } from '../id.ts'
import { Message } from '../message/schema.ts'
import { type SentMessage, sendSystemMessage } from '../message/send-actions.ts'
import { audited } from './audit.ts'
import { findConversationByExternalId, upsertConversation } from './conversation-actions.ts'
import { isFor } from './server-keys.ts'

const idsMax = 1_000

builder.objectField(Conversation, 'externalId', (t) =>
  t.string({
    nullable: true,
    description:
      'The ID by which your backend knows the conversation, from `upsertConversation`. Only server keys with the scope SEND see it; null for others, and for a conversation that your backend did not make.',
    resolve: ({ externalId }, _args, { caller }) => (caller.key?.scopes.includes('SEND') && !caller.viewer ? externalId : null),
  }),
)

builder.queryField('conversationByExternalId', (t) =>
  t.field({
    type: Conversation,
    nullable: true,
    description:
      'A conversation that your backend made; null if there is none with this ID. Its settings and members are shown; what depends on a viewer, like messages, is empty: act for a member to read it. Needs a server key with the scope SEND. Errors: FORBIDDEN.',
    args: { externalId: t.arg.string({ description: 'The ID that your backend has given it.' }) },
    resolve: async (_root, { externalId }, context) => {
      const id = await findConversationByExternalId(requireKey(context, 'SEND'), externalId, context.app)
      return id === null ? null : findConversation(context, id)
    },
  }),
)

const UpsertConversationInput = builder.inputType('UpsertConversationInput', {
  description: 'Input for `upsertConversation`. What is omitted stays as it is.',
  fields: (t) => ({
    externalId: t.string({ description: `The ID by which your backend knows the group: ${externalIdRule}.` }),
    tenant: t.string({
      required: false,
      description: `The tenant of the group: ${tenantRule}. It cannot change. By default that of the key, or none.`,
    }),
    title: t.string({
      required: false,
      description: `The title: 1 to ${titleMax} characters on one line. A new group needs one. Null leaves it unchanged.`,
    }),
    description: t.string({
      required: false,
      description: `What the group is about: 1 to ${descriptionMax} characters. Null removes it.`,
    }),
    historyVisibility: t.field({
      type: HistoryVisibility,
      required: false,
      description: 'How much of the history later members see. Defaults to ALL. Null leaves it unchanged.',
    }),
    memberIds: t.idList({
      required: false,
      description:
        'All members, by ID or `externalId`: who is missing is added, who is not listed is removed. The first one owns a new group. Null or omitted: the members stay as they are.',
    }),
    data: t.field({ type: 'JSON', required: false, description: `Custom data: ${customDataRule}. Null removes it.` }),
  }),
})
const upsertForm = z.object({
  externalId: externalIdForm,
  tenant: tenantForm.nullish(),
  title: line(titleMax).nullish(),
  description: prose(descriptionMax).nullish(),
  historyVisibility: z.enum(['ALL', 'SINCE_JOINING']).nullish(),
  memberIds: z.array(z.string()).max(idsMax, `must have at most ${idsMax} IDs`).nullish(),
  data: customData,
})

/**
 * The users that an input names.
 * @param isNumbered whether an error names the place in the list
 * @throws ParleyError BAD_INPUT, NOT_FOUND, with the argument at fault
 */
export async function requireAllNamed(
  { app, reader }: Context,
  names: readonly string[],
  list: string,
  isNumbered = true,
): Promise<UserId[]> {
  const argument = (i: number) => (isNumbered ? `${list}.${i}` : list)
  const found = await Promise.all(names.map((name, i) => findNamed(reader, app.config, name, argument(i))))
  const ids = found.map((id, i) => {
    if (id === null) throw new ParleyError('NOT_FOUND', 'User not found.', { argument: argument(i) })
    return id
  })
  return ids
}

const SendSystemMessageInput = builder.inputType('SendSystemMessageInput', {
  description: 'Input for `sendSystemMessage`.',
  fields: (t) => ({
    conversationId: t.id({ description: 'The ID of the conversation.' }),
    clientMessageId: t.id({
      description:
        'A UUID that identifies the message: send it with every retry, and never use it for another system message of this server.',
    }),
    text: t.string({ description: 'The text: at least one visible character, with the limits of `sendMessage`.' }),
    data: t.field({ type: 'JSON', required: false, description: `Custom data: ${customDataRule}.` }),
  }),
})
const sendForm = perLimit((textMax) =>
  z.object({ conversationId: z.string(), clientMessageId: uuid, text: prose(textMax), data: customData }),
)
const SendSystemMessagePayload = builder.objectRef<SentMessage>('SendSystemMessagePayload').implement({
  description: 'The result of `sendSystemMessage`: the message is committed.',
  fields: (t) => ({
    message: t.expose('message', {
      type: Message,
      description: 'The message. For a retry, the message that the first attempt sent.',
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The cursor of the MessageSent event.',
      resolve: ({ place }, _args, { app }) => app.journal.cursor(place),
    }),
  }),
})

builder.mutationFields((t) => ({
  upsertConversation: t.field({
    type: conversationPayload('UpsertConversationPayload', 'upsertConversation'),
    complexity: 100,
    description:
      'Makes a group of your backend, or changes it: its settings, and its members. Repeating it changes nothing. Roles and message policies do not matter, and users need not have logged in yet. Needs a server key with the scope SEND. Errors: BAD_INPUT, NOT_FOUND, EXTERNAL_ID_TAKEN, LIMIT_EXCEEDED, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: UpsertConversationInput, description: 'The group as it is to be.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'SEND')
      const { externalId, tenant, title, description, historyVisibility, memberIds, data } = parseInput(upsertForm, input)
      const group = {
        externalId,
        ...(tenant == null ? {} : { tenant }),
        ...(title == null ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(historyVisibility == null ? {} : { historyVisibility }),
        ...(memberIds == null ? {} : { memberIds: [...new Set(await requireAllNamed(context, memberIds, 'input.memberIds'))] }),
        ...(data === undefined ? {} : { data }),
      }
      const done = await upsertConversation(key, group, context.app)
      await audited(context, 'upsertConversation', [encodeId('Conversation', done.conversationId)])
      return done
    },
  }),
  sendSystemMessage: t.field({
    type: SendSystemMessagePayload,
    description:
      'Sends a message of your backend to a conversation. It has no sender and the kind SYSTEM, counts as unread, and notifies like other messages. A retry with the same `clientMessageId` and content returns the first message. Needs a server key with the scope SEND. Errors: BAD_INPUT, NOT_FOUND, IDEMPOTENCY_CONFLICT, FORBIDDEN, UNAVAILABLE.',
    args: { input: t.arg({ type: SendSystemMessageInput, description: 'The message to send.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'SEND')
      const { text, clientMessageId, data, ...given } = parseInput(sendForm(context.app.config.limits.messageTextMax), input)
      const conversationId = parseId('Conversation', given.conversationId, 'input.conversationId')
      const conversation = await findConversation(context, conversationId)
      if (!conversation || !isFor(key, conversation)) throw notFound('Conversation')
      await audited(context, 'sendSystemMessage', [given.conversationId])
      return sendSystemMessage({ conversationId, clientMessageId, text, data: data ?? null }, context.app)
    },
  }),
}))
