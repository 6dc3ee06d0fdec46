// All resolvers of the test server, and the queries that belong to no other file.

import { accountFields, accountMutations, accountQueries } from './account-fields.ts'
import { TestTokens } from './accounts.ts'
import { conversationFields } from './conversation-fields.ts'
import { conversationMutations, conversationQueries } from './conversation-mutations.ts'
import { draftFields, draftMutations } from './drafts.ts'
import type { TestResolvers } from './engine.ts'
import { eventFields, eventStreams, syncMutations } from './event-stream.ts'
import { messageFields } from './message-fields.ts'
import { messageMutations, searchMessages, testLimits } from './message-mutations.ts'
import { peopleFields, peopleMutations, peopleQueries } from './people.ts'
import { badInput, lacks } from './refusal.ts'
import { signalFields, signalMutations, signalStreams } from './signals.ts'
import { requireViewer, type TestContext, type TestFields } from './test-context.ts'
import { type PageArguments, pageOf } from './test-page.ts'
import { TestRandom } from './test-random.ts'
import { sightOf } from './visibility.ts'
import { TestWorld } from './world.ts'

const limits = {
  ...testLimits,
  bioMax: 500,
  displayNameMax: 80,
  groupDescriptionMax: 1_000,
  groupMembersMax: 100,
  groupTitleMax: 120,
  pageSizeMax: 100,
  typingLapsesMs: 6_000,
}

/** The node of a test server, which has no address of its own. */
const node = { url: null, region: 'test', version: 'test', capacity: 1, connections: 0, eventLoopLagMs: 0, isDraining: false }
const nodesMax = 1_000

/** Finds what an ID names, if the viewer may see it. */
function findNode(id: string, context: TestContext): unknown {
  const { world } = context
  const viewer = requireViewer(context)
  const message = world.messages.get(id)
  if (message) return sightOf(context, message) ? message : null
  const conversation = world.conversations.get(id)
  if (conversation) return conversation.members.has(viewer.id) ? conversation : null
  const session = world.sessions.get(id)
  if (session) return session.userId === viewer.id ? session : null
  const [, inside] = /^mbr_([0-9a-z]{13})_([0-9a-z]{13})$/.exec(id) ?? []
  if (inside !== undefined) return findMember(id, `cnv_${inside}`, context)
  if (/^(inv|att|key|whk)_/.test(id)) throw lacks(`node(id: "${id}")`)
  return world.users.get(id) ?? null
}

function findMember(id: string, conversationId: string, context: TestContext) {
  const conversation = context.world.conversations.get(conversationId)
  if (!conversation?.members.has(requireViewer(context).id)) return null
  const user = context.world.users.get(`usr_${id.split('_')[2]}`)
  const member = conversation.members.get(user?.id ?? '')
  return member ? { conversation, member } : null
}

const typeNames: { readonly [prefix: string]: string } = { usr: 'User', cnv: 'Conversation', msg: 'Message', ses: 'Session' }

/** The type of what an interface gives: of an event, or of what an ID names. */
function typeNameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) throw new Error('an interface without an object')
  if ('__typename' in value) return String(value.__typename)
  return typeNames['id' in value ? String(value.id).slice(0, 3) : ''] ?? 'Member'
}

type SearchArguments = PageArguments & Parameters<typeof searchMessages>[0] & { since?: Date | null; until?: Date | null }

const queries: TestFields = {
  node: (_root: unknown, { id }: { id: string }, context: TestContext) => findNode(id, context),
  nodes: (_root: unknown, { ids }: { ids: readonly string[] }, context: TestContext) => {
    if (ids.length > nodesMax) throw badInput('ids', `must have at most ${nodesMax} IDs`)
    return ids.map((id) => findNode(id, context))
  },
  syncCursor: (_root: unknown, _args: object, context: TestContext) => {
    requireViewer(context)
    return context.world.journal.cursor()
  },
  searchMessages: (_root: unknown, args: SearchArguments, context: TestContext) => {
    if (args.since != null || args.until != null) throw lacks('searchMessages(since:, until:)')
    return pageOf(searchMessages(args, context), ({ number }) => -number, args)
  },
  gateway: () => ({ node, fallbacks: [] }),
  limits: () => limits,
  vapidPublicKey: () => null,
}

/** The resolvers. */
export function testResolvers(tokens: TestTokens): TestResolvers {
  return {
    types: {
      Query: { ...queries, ...accountQueries, ...peopleQueries, ...conversationQueries },
      Mutation: {
        ...accountMutations(tokens),
        ...peopleMutations,
        ...conversationMutations,
        ...messageMutations,
        ...signalMutations,
        ...draftMutations,
        ...syncMutations,
      },
      ...accountFields,
      ...peopleFields,
      ...conversationFields,
      ...messageFields,
      ...signalFields,
      ...draftFields,
      ...eventFields,
    },
    streams: { ...eventStreams, ...signalStreams },
    typeNameOf,
  }
}

/** The fields that have resolvers, by type: for the list of what the test server lacks. */
export function resolverNames(): ReadonlyMap<string, ReadonlySet<string>> {
  const { types, streams } = testResolvers(new TestTokens(new TestWorld(new TestRandom(1))))
  return new Map(
    Object.entries({ ...types, Subscription: streams }).map(([type, fields]) => [type, new Set(Object.keys(fields))]),
  )
}
