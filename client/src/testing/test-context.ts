// What every field is executed with, and how it finds what its arguments name.

import type { GraphQLError, GraphQLObjectType } from 'graphql'
import { badInput, notFound, refuse } from './refusal.ts'
import type { TestConnection, TestConversation, TestMember, TestMessage, TestSession, TestUser, TestWorld } from './world.ts'

/** The caller of an operation. */
export type TestContext = {
  readonly world: TestWorld
  /** The session of the caller; null without a valid token. */
  readonly session: TestSession | null
  /** Why the token of the caller was refused. */
  readonly refused: GraphQLError | null
  /** The socket that the operation came over. */
  readonly connection: TestConnection | null
}

/** A resolver of graphql-js. */
type TestResolver = NonNullable<ReturnType<GraphQLObjectType['getFields']>[string]['resolve']>
/** The resolvers of a type, by field. */
export type TestFields = { readonly [field: string]: TestResolver }

const prefixes = { User: 'usr', Conversation: 'cnv', Message: 'msg', Session: 'ses' } as const

/** @throws GraphQLError UNAUTHENTICATED, TOKEN_EXPIRED or SESSION_REVOKED without a valid token */
export function requireSession({ session, refused }: TestContext): TestSession {
  if (!session) throw refused ?? refuse('UNAUTHENTICATED', 'You are not logged in: send an access token.')
  return session
}

/** The user of the caller. */
export function requireViewer(context: TestContext): TestUser {
  const user = context.world.users.get(requireSession(context).userId)
  if (!user) throw refuse('UNAUTHENTICATED', 'The account does not exist.')
  return user
}

/** Checks the form of an ID. @throws GraphQLError BAD_INPUT */
export function checkId(type: keyof typeof prefixes, id: string, argument: string): string {
  if (!new RegExp(`^${prefixes[type]}_[0-9a-z]{13}$`).test(id)) throw badInput(argument, `is not an ID of type ${type}`)
  return id
}

/** Finds a user. @throws GraphQLError NOT_FOUND, BAD_INPUT */
export function requireUser({ world }: TestContext, id: string, argument: string): TestUser {
  const user = world.users.get(checkId('User', id, argument))
  if (!user) throw notFound('User', argument)
  return user
}

/** A conversation that the viewer is in, and their membership. */
export type OwnConversation = { readonly conversation: TestConversation; readonly member: TestMember }

/** Finds a conversation of the viewer. @throws GraphQLError NOT_FOUND */
export function requireOwn(context: TestContext, id: string, argument = 'input.conversationId'): OwnConversation {
  const conversation = context.world.conversations.get(checkId('Conversation', id, argument))
  const member = conversation?.members.get(requireViewer(context).id)
  if (!conversation || !member) throw notFound('Conversation')
  return { conversation, member }
}

/** Finds a conversation in which the viewer may write. @throws GraphQLError NOT_FOUND, FORBIDDEN if it is closed */
export function requireOpen(context: TestContext, id: string, argument?: string): OwnConversation {
  const found = requireOwn(context, id, argument)
  if (found.conversation.isClosed) throw refuse('FORBIDDEN', 'The conversation is closed: nothing in it can be changed.')
  return found
}

/** A message that the viewer may see, in a conversation that they are in. */
export type OwnMessage = OwnConversation & { readonly message: TestMessage }

/** Finds a message that the viewer may change something about. @throws GraphQLError NOT_FOUND, FORBIDDEN if it is closed */
export function requireMessage(context: TestContext, id: string, argument = 'input.messageId'): OwnMessage {
  const viewer = requireViewer(context)
  const message = context.world.messages.get(checkId('Message', id, argument))
  const member = message && context.world.conversations.get(message.conversationId)?.members.get(viewer.id)
  if (!message || !member || message.seq <= member.hiddenSeq) throw notFound('Message')
  return { message, ...requireOpen(context, message.conversationId) }
}
