// Search in the schema.

import { z } from 'zod'
import { builder } from '../graphql/builder.ts'
import { parseArguments, prose } from '../graphql/input.ts'
import { pageCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import { Message, MessageConnection, MessageEdge } from '../message/schema.ts'
import { searchMessages } from './access.ts'
import type { TextRange } from './highlights.ts'
import { parseQuery } from './terms.ts'

const queryMax = 200

const form = z.object({
  query: prose(queryMax).transform((text, issues) => {
    const query = parseQuery(text)
    if (!query) issues.addIssue('holds nothing that can be looked for')
    return query ?? z.NEVER
  }),
})

const Range = builder.objectRef<TextRange>('TextRange').implement({
  description: 'A range of a text, in UTF-16 units, as JavaScript, Java and Swift (NSRange) count.',
  fields: (t) => ({
    start: t.exposeInt('start', { description: 'Its first unit; 0 is the first of the text.' }),
    end: t.exposeInt('end', { description: 'The first unit after it.' }),
  }),
})

builder.objectField(MessageEdge, 'highlights', (t) =>
  t.field({
    type: [Range],
    description:
      'Where the query of `searchMessages` met `node.text`, in order, without overlaps, at most 100. Empty in every other page.',
    resolve: (edge) => ('highlights' in edge ? (edge.highlights as readonly TextRange[]) : []),
  }),
)

builder.queryField('searchMessages', (t) =>
  t.connection(
    {
      type: Message,
      description:
        'Messages of your conversations that hold every word of the query, the newest first. A word is met at its beginning by the last word of the query and as a whole by the others; Korean, Japanese and Chinese are met anywhere in a run of characters. Accents, case, and the width of letters make no difference, every other character stands for itself. A message is found within about a second of being sent. Errors: BAD_INPUT, NOT_FOUND for a conversation that you are not in.',
      args: {
        query: t.arg.string({ description: `What to look for: 1 to ${queryMax} characters.` }),
        conversationId: t.arg.id({ required: false, description: 'Only in this conversation.' }),
        senderId: t.arg.id({ required: false, description: 'Only what this user wrote.' }),
        since: t.arg({ type: 'DateTime', required: false, description: 'Only what was written at this moment or later.' }),
        until: t.arg({ type: 'DateTime', required: false, description: 'Only what was written before this moment.' }),
      },
      complexity: pageCost,
      resolve: (_root, { query, conversationId, senderId, since, until, ...page }, context) => {
        const search = {
          ...parseArguments(form, { query }),
          conversationId: conversationId == null ? null : parseId('Conversation', conversationId, 'conversationId'),
          senderId: senderId == null ? null : parseId('User', senderId, 'senderId'),
          since: since ?? null,
          until: until ?? null,
        }
        return searchMessages(context, search, page)
      },
    },
    MessageConnection,
    MessageEdge,
  ),
)
