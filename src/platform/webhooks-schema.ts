// The schema of webhooks.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { notFound, ParleyError } from '../errors.ts'
import { builder } from '../graphql/builder.ts'
import { type Context, requireKey } from '../graphql/context.ts'
import { eventNames } from '../graphql/event.ts'
import { parseInput } from '../graphql/input.ts'
import { encodeId, parseId, type WebhookId } from '../id.ts'
import { parseCursor } from '../journal/cursor.ts'
import { audited } from './audit.ts'
import { shownCursor } from './stored-cursor.ts'
import { requireAddress } from './webhook-addresses.ts'
import * as webhooks from './webhooks.ts'

const urlMax = 2_000
const kindsRule = 'the names of the types of events, like `MessageSent`; empty for all'
const kindsForm = z
  .array(z.string().refine((name) => eventNames().includes(name), 'must be names of types of events'))
  .transform((names) => [...new Set(names)])
const urlForm = z.string().max(urlMax, `must have at most ${urlMax} characters`)

const Webhook = builder.objectRef<webhooks.WebhookRow>('Webhook').implement({
  description: 'An address of your backend to which events are sent, in order for each conversation, until it has taken them.',
  fields: (t) => ({
    id: t.id({ description: 'The ID of the webhook.', resolve: ({ id }) => encodeId('Webhook', id) }),
    url: t.exposeString('url', { description: 'The address.' }),
    kinds: t.stringList({ description: 'The types of events that are sent; empty for all.', resolve: ({ kinds }) => [...kinds] }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    cursor: t.field({
      type: 'Cursor',
      description: 'Everything up to this cursor was sent, or is not among its kinds.',
      resolve: shownCursor,
    }),
    behindBy: t.int({
      description: 'How many entries the journal has after that cursor.',
      resolve: ({ position }, _args, { app }) => Math.max(0, app.journal.head().position - position),
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when the receiver has not taken an event; null if it took the last one.',
    }),
    lastError: t.exposeString('lastError', { nullable: true, description: 'Why the last attempt failed; null if it did not.' }),
    retryAt: t.expose('retryAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the next attempt comes, after a failure.',
    }),
    pausedAt: t.expose('pausedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'Since when nothing is sent: by `updateWebhook`, or because the receiver failed for three days; null if it is not paused.',
    }),
  }),
})

builder.queryField('webhooks', (t) =>
  t.field({
    type: [Webhook],
    complexity: webhooks.webhooksMax,
    description: 'The webhooks, the oldest first. Needs a server key with the scope WEBHOOKS. Errors: FORBIDDEN.',
    resolve: (_root, _args, context) => webhooks.readWebhooks(requireKey(context, 'WEBHOOKS'), context.reader),
  }),
)

const CreateWebhookInput = builder.inputType('CreateWebhookInput', {
  description: 'Input for `createWebhook`.',
  fields: (t) => ({
    url: t.string({
      description:
        'The address, which begins with https: and is on the public internet. The operator can allow networks of their own.',
    }),
    kinds: t.stringList({ required: false, description: `Which events to send: ${kindsRule}.` }),
    after: t.field({
      type: 'Cursor',
      required: false,
      description: 'Sends what came after this cursor. By default what happens from now on.',
    }),
  }),
})
type Made = { readonly webhook: webhooks.WebhookRow; readonly secret: string }
const CreateWebhookPayload = builder.objectRef<Made>('CreateWebhookPayload').implement({
  description: 'The result of `createWebhook`.',
  fields: (t) => ({
    webhook: t.expose('webhook', { type: Webhook, description: 'The new webhook.' }),
    secret: t.exposeString('secret', {
      description:
        'Signs each request, by the Standard Webhooks specification: keep it to check `webhook-signature`. It is shown only here.',
    }),
  }),
})
const UpdateWebhookInput = builder.inputType('UpdateWebhookInput', {
  description: 'Input for `updateWebhook`. What is null or omitted stays as it is.',
  fields: (t) => ({
    webhookId: t.id({ description: 'The ID of the webhook.' }),
    url: t.string({ required: false, description: 'The new address.' }),
    kinds: t.stringList({ required: false, description: `Which events to send from now on: ${kindsRule}.` }),
    paused: t.boolean({ required: false, description: 'True pauses it, false lets it continue from where it is, at once.' }),
  }),
})
const DeleteWebhookInput = builder.inputType('DeleteWebhookInput', {
  description: 'Input for `deleteWebhook`.',
  fields: (t) => ({ webhookId: t.id({ description: 'The ID of the webhook.' }) }),
})
const ReplayWebhookInput = builder.inputType('ReplayWebhookInput', {
  description: 'Input for `replayWebhook`.',
  fields: (t) => ({
    webhookId: t.id({ description: 'The ID of the webhook.' }),
    after: t.field({ type: 'Cursor', description: 'Sends what came after this cursor again.' }),
  }),
})
const payload = (name: string, mutation: string) =>
  builder.objectRef<{ readonly webhook: webhooks.WebhookRow }>(name).implement({
    description: `The result of \`${mutation}\`.`,
    fields: (t) => ({ webhook: t.expose('webhook', { type: Webhook, description: 'The webhook as it is now.' }) }),
  })
const DeleteWebhookPayload = builder.objectRef<{ readonly id: WebhookId }>('DeleteWebhookPayload').implement({
  description: 'The result of `deleteWebhook`.',
  fields: (t) => ({
    webhookId: t.id({ description: 'The ID of the deleted webhook.', resolve: ({ id }) => encodeId('Webhook', id) }),
  }),
})

const createForm = z.object({ url: urlForm, kinds: kindsForm.nullish() })
const updateForm = z.object({ url: urlForm.nullish(), kinds: kindsForm.nullish(), paused: z.boolean().nullish() })
const idOf = (text: string) => parseId('Webhook', text, 'input.webhookId')

/** A cursor from which the journal can continue. @throws ParleyError BAD_INPUT, CURSOR_REFUSED */
async function requireCursor(text: string, argument: string, { app }: Context) {
  const cursor = parseCursor(text, argument)
  const reason = await app.journal.findResetReason(cursor)
  if (reason === null) return cursor
  throw new ParleyError('CURSOR_REFUSED', `The server cannot continue from this cursor: ${reason}.`, { argument })
}

builder.mutationFields((t) => ({
  createWebhook: t.field({
    type: CreateWebhookPayload,
    description:
      'Sends events to an address of your backend from now on. Needs a server key with the scope WEBHOOKS. Errors: BAD_INPUT, CURSOR_REFUSED, LIMIT_EXCEEDED, FORBIDDEN.',
    args: { input: t.arg({ type: CreateWebhookInput, description: 'The address, and what to send.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'WEBHOOKS')
      const { url, kinds } = parseInput(createForm, input)
      await requireAddress(url, context.app.config, 'input.url')
      const { journal } = context.app
      const from = await requireCursor(input.after ?? journal.cursor(journal.head()), 'input.after', context)
      const secret = randomBytes(32)
      const webhook = await webhooks.makeWebhook(key, { url, secret, kinds: kinds ?? [], from }, context.app.store.reader)
      if (!webhook) throw new ParleyError('LIMIT_EXCEEDED', `There can be at most ${webhooks.webhooksMax} webhooks. Delete one.`)
      await audited(context, 'createWebhook', [encodeId('Webhook', webhook.id)])
      return { webhook, secret: `whsec_${secret.toString('base64')}` }
    },
  }),
  updateWebhook: t.field({
    type: payload('UpdateWebhookPayload', 'updateWebhook'),
    description:
      'Changes a webhook, pauses it, or lets it continue. Needs a server key with the scope WEBHOOKS. Errors: BAD_INPUT, NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: UpdateWebhookInput, description: 'The webhook, and what to change.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'WEBHOOKS')
      const { url = null, kinds = null, paused = null } = parseInput(updateForm, input)
      if (url !== null) await requireAddress(url, context.app.config, 'input.url')
      const id = idOf(input.webhookId)
      await audited(context, 'updateWebhook', [input.webhookId])
      const webhook = await webhooks.changeWebhook(key, id, { url, kinds, isPaused: paused }, context.app.store.reader)
      if (!webhook) throw notFound('Webhook')
      return { webhook }
    },
  }),
  deleteWebhook: t.field({
    type: DeleteWebhookPayload,
    description:
      'Deletes a webhook: nothing more is sent. Needs a server key with the scope WEBHOOKS. Errors: NOT_FOUND, FORBIDDEN.',
    args: { input: t.arg({ type: DeleteWebhookInput, description: 'The webhook.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'WEBHOOKS')
      const id = idOf(input.webhookId)
      await audited(context, 'deleteWebhook', [input.webhookId])
      if (!(await webhooks.removeWebhook(key, id, context.app.store.reader))) throw notFound('Webhook')
      return { id }
    },
  }),
  replayWebhook: t.field({
    type: payload('ReplayWebhookPayload', 'replayWebhook'),
    description:
      'Sends everything that came after a cursor again, with the same `webhook-id` for each event, and lets a paused webhook continue. Needs a server key with the scope WEBHOOKS. Errors: BAD_INPUT, NOT_FOUND, CURSOR_REFUSED, FORBIDDEN.',
    args: { input: t.arg({ type: ReplayWebhookInput, description: 'The webhook, and from where.' }) },
    resolve: async (_root, { input }, context) => {
      const key = requireKey(context, 'WEBHOOKS')
      const id = idOf(input.webhookId)
      const from = await requireCursor(input.after, 'input.after', context)
      await audited(context, 'replayWebhook', [input.webhookId])
      const webhook = await webhooks.replayFrom(key, id, from, context.app.store.reader)
      if (!webhook) throw notFound('Webhook')
      return { webhook }
    },
  }),
}))
