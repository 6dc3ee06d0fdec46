// The schema of pages in the middle of the history: around a message, a seq or a time.

import { z } from 'zod'
import { Conversation } from '../conversation/schema.ts'
import { builder } from '../graphql/builder.ts'
import type { Context } from '../graphql/context.ts'
import { parseArguments } from '../graphql/input.ts'
import { type ConversationId, parseId } from '../id.ts'
import { findSeqAt, readHistoryAround, requireSeqOf } from './access.ts'
import { MessageConnection } from './schema.ts'

const sizes = { max: 50, fallback: 25 } as const
const count = z
  .int()
  .nullish()
  .transform((given) => given ?? sizes.fallback)
  .refine((given) => given >= 0 && given <= sizes.max, `must be between 0 and ${sizes.max}`)
const form = z
  .object({
    messageId: z.string().nullish(),
    seq: z.int().min(0, 'must be 0 or more').nullish(),
    at: z.date().nullish(),
    before: count,
    after: count,
  })
  .refine(({ messageId, seq, at }) => [messageId, seq, at].filter((given) => given != null).length === 1, {
    path: ['messageId'],
    message: 'is one of three ways to say where: give exactly one of messageId, seq and at',
  })

/** Finding the place and both sides takes three statements. */
const fieldCost = 50
/** The size of one side of such a page in the cost of an operation. */
const sizeOfSide = (given: number | null | undefined) => Math.min(Math.max(given ?? sizes.fallback, 0), sizes.max)

builder.objectField(Conversation, 'messagesAround', (t) =>
  t.field({
    type: MessageConnection,
    description:
      'A page of messages around a place in the history, ordered by `seq`: around a message, a `seq`, such as that of your read marker, or a time. Continue in `messages` with `before: startCursor` and `after: endCursor`. Errors: NOT_FOUND, BAD_INPUT.',
    args: {
      messageId: t.arg.id({ required: false, description: 'The ID of a message in this conversation.' }),
      seq: t.arg.int({
        required: false,
        description:
          'A `seq`. The message with this `seq` is the first after the middle; it may be one that does not exist yet, or that you cannot see.',
      }),
      at: t.arg({
        type: 'DateTime',
        required: false,
        description: 'A time. The first message from that time on is in the middle; if there is none, the newest.',
      }),
      before: t.arg.int({
        required: false,
        description: `How many earlier messages to return: 0 to ${sizes.max}. Defaults to ${sizes.fallback}.`,
      }),
      after: t.arg.int({
        required: false,
        description: `How many later messages to return: 0 to ${sizes.max}. Defaults to ${sizes.fallback}.`,
      }),
    },
    complexity: ({ before, after }) => ({ field: fieldCost, multiplier: sizeOfSide(before) + sizeOfSide(after) + 1 }),
    resolve: async ({ id }, args, context) => {
      const { before, after, ...place } = parseArguments(form, args)
      return readHistoryAround(context, id, await seqOf(context, id, place), { before, after })
    },
  }),
)

async function seqOf(
  context: Context,
  conversationId: ConversationId,
  { messageId, seq, at }: Omit<z.output<typeof form>, 'before' | 'after'>,
): Promise<number> {
  if (messageId != null) return requireSeqOf(context, conversationId, parseId('Message', messageId, 'messageId'))
  return at == null ? (seq ?? 0) : findSeqAt(context, conversationId, at)
}
