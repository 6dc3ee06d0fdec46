// The schema of search: `searchMessages` and its highlights.

import { z } from 'zod'
import { builder } from '../graphql/builder.ts'
import { parseArguments, prose } from '../graphql/input.ts'
import { searchCost } from '../graphql/page.ts'
import { parseId } from '../id.ts'
import { Message, MessageConnection, MessageEdge } from '../message/schema.ts'
import { searchMessages } from './access.ts'
import type { TextRange } from './highlights.ts'
import { parseQuery } from './terms.ts'

const queryMax = 200

const form = z.object({
  query: prose(queryMax).transform((text, issues) => {
    const query = parseQuery(text)
    if (!query) issues.addIssue('must contain something to search for')
    return query ?? z.NEVER
  }),
})

const Range = builder.objectRef<TextRange>('TextRange').implement({
  description: "A range of a text, in UTF-16 code units, as JavaScript, Java and Swift's NSRange count them.",
  fields: (t) => ({
    start: t.exposeInt('start', { description: 'The index of the first code unit of the range; 0 is the start of the text.' }),
    end: t.exposeInt('end', { description: 'The index after the last code unit of the range.' }),
  }),
})

builder.objectField(MessageEdge, 'highlights', (t) =>
  t.field({
    type: [Range],
    description:
      'The parts of `node.text` that match the query of `searchMessages`, in order and without overlaps, at most 100. Empty in all other connections.',
    resolve: (edge) => ('highlights' in edge ? (edge.highlights as readonly TextRange[]) : []),
  }),
)

builder.queryField('searchMessages', (t) =>
  t.connection(
    {
      type: Message,
      description:
        'Finds messages in your conversations that contain every word of the query, newest first. The last word of the query also matches the beginning of a longer word; the others match whole words. Scripts that are written without spaces between words, or with particles (Korean, Japanese, Chinese, Thai, Lao, Khmer, Burmese), match anywhere. Ignores case, accents, the width and style of letters, the kind of apostrophe, quote or dash, and invisible characters. An emoji matches as a whole; every other character stands for itself. A message can be found about a second after it was sent. Errors: BAD_INPUT, NOT_FOUND if you are not a member of the conversation.',
      args: {
        query: t.arg.string({ description: `The words to search for: 1 to ${queryMax} characters.` }),
        conversationId: t.arg.id({ required: false, description: 'Searches only this conversation.' }),
        senderId: t.arg.id({ required: false, description: 'Searches only messages from this user.' }),
        since: t.arg({ type: 'DateTime', required: false, description: 'Searches only messages created at or after this time.' }),
        until: t.arg({ type: 'DateTime', required: false, description: 'Searches only messages created before this time.' }),
      },
      complexity: searchCost,
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
