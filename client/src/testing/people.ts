// Contacts and blocks.

import type * as api from '../generated/schema-types.ts'
import { done, tellAll } from './actions.ts'
import { badInput, notFound, refuse } from './refusal.ts'
import { requireUser, requireViewer, type TestContext, type TestFields } from './test-context.ts'
import type { TestFact } from './test-journal.ts'
import { type PageArguments, pageOf } from './test-page.ts'
import type { TestBlock, TestContact, TestUser, TestWorld } from './world.ts'

/** A contact as the schema shows it: the other person. */
type ShownContact = { readonly contact: TestContact; readonly userId: string }
type About = { readonly world: TestWorld; readonly viewer: TestUser; readonly user: TestUser }

const unreachable = () => refuse('FORBIDDEN', 'This user does not accept messages from you.', 'input.userId')

/** @throws GraphQLError FORBIDDEN if either has blocked the other */
export function requireNoBlock(world: TestWorld, viewer: TestUser, user: TestUser): void {
  if (world.hasBlocked(user.id, viewer.id)) throw unreachable()
  if (world.hasBlocked(viewer.id, user.id))
    throw refuse('FORBIDDEN', 'You have blocked this user. Unblock them first.', 'input.userId')
}

/** Tells both people that something between them has changed. @returns the fact for the viewer */
function tellBoth({ world, viewer, user }: About): TestFact {
  world.journal.append('ContactChanged', [user.id], { userId: viewer.id })
  return world.journal.append('ContactChanged', [viewer.id], { userId: user.id })
}

function endContact(about: About, isWanted: (contact: TestContact) => boolean): TestFact | null {
  const { world, viewer, user } = about
  const known = world.contactOf(viewer.id, user.id)
  if (!known || !isWanted(known)) return null
  world.contacts.splice(world.contacts.indexOf(known), 1)
  return tellBoth(about)
}

function accept(about: About, contact: TestContact): TestFact {
  contact.acceptedAt = about.world.journal.now()
  return tellBoth(about)
}

function requestContact(about: About): TestFact | null {
  const { world, viewer, user } = about
  requireNoBlock(world, viewer, user)
  const known = world.contactOf(viewer.id, user.id)
  if (known?.acceptedAt || known?.from === viewer.id) return null
  if (known) return accept(about, known)
  world.contacts.push({ from: viewer.id, to: user.id, requestedAt: world.journal.now(), acceptedAt: null })
  return tellBoth(about)
}

function acceptContact(about: About): TestFact | null {
  const known = about.world.contactOf(about.viewer.id, about.user.id)
  if (known?.acceptedAt) return null
  if (known?.from !== about.user.id) throw notFound('Contact request')
  return accept(about, known)
}

function directOf({ world, viewer, user }: About) {
  const isDirect = [...world.conversations.values()].filter(({ kind, members }) => kind === 'DIRECT' && members.has(viewer.id))
  return isDirect.find(({ members }) => members.has(user.id))
}

function blockUser(about: About): TestFact | null {
  const { world, viewer, user } = about
  if (world.hasBlocked(viewer.id, user.id)) return null
  const direct = world.hasBlocked(user.id, viewer.id) ? undefined : directOf(about)
  world.blocks.push({ by: viewer.id, of: user.id, blockedAt: world.journal.now(), number: world.number('block') })
  endContact(about, () => true)
  if (direct) {
    direct.isClosed = true
    tellAll(world, direct, 'ConversationClosed')
  }
  world.signal()
  return world.journal.append('BlockChanged', [viewer.id], { userId: user.id })
}

function unblockUser(about: About): TestFact | null {
  const { world, viewer, user } = about
  const known = world.blocks.findIndex((block) => block.by === viewer.id && block.of === user.id)
  if (known < 0) return null
  world.blocks.splice(known, 1)
  const direct = world.hasBlocked(user.id, viewer.id) ? undefined : directOf(about)
  if (direct) {
    direct.isClosed = false
    tellAll(world, direct, 'ConversationReopened')
  }
  world.signal()
  return world.journal.append('BlockChanged', [viewer.id], { userId: user.id })
}

/** A mutation about another user. */
const about =
  (change: (about: About) => TestFact | null) =>
  (_root: unknown, { input }: { input: api.BlockUserInput }, context: TestContext) => {
    const viewer = requireViewer(context)
    if (input.userId === viewer.id) throw badInput('input.userId', 'must not be yourself')
    const user = requireUser(context, input.userId, 'input.userId')
    const fact = change({ world: context.world, viewer, user })
    context.world.signal()
    return done(context.world, fact, { user })
  }

export const peopleMutations: TestFields = {
  requestContact: about(requestContact),
  acceptContact: about(acceptContact),
  declineContact: about((both) => endContact(both, ({ from, acceptedAt }) => from === both.user.id && acceptedAt === null)),
  removeContact: about((both) => endContact(both, ({ from, acceptedAt }) => from === both.viewer.id || acceptedAt !== null)),
  blockUser: about(blockUser),
  unblockUser: about(unblockUser),
}

/** The contacts and requests of the viewer that are wanted. */
function ownContacts(context: TestContext, isWanted: (contact: TestContact, viewerId: string) => boolean): ShownContact[] {
  const { id } = requireViewer(context)
  const own = context.world.contacts.filter(({ from, to }) => from === id || to === id)
  return own
    .filter((contact) => isWanted(contact, id))
    .map((contact) => ({ contact, userId: contact.from === id ? contact.to : contact.from }))
}

const requests = (context: TestContext, direction: 'INCOMING' | 'OUTGOING') =>
  ownContacts(context, ({ from, acceptedAt }, viewerId) => !acceptedAt && (from === viewerId) === (direction === 'OUTGOING'))
const byTime = ({ contact }: ShownContact) => -Number(contact.requestedAt)

export const peopleQueries: TestFields = {
  contacts: (_root: unknown, args: PageArguments, context: TestContext) => {
    const nameOf = ({ userId }: ShownContact) => context.world.users.get(userId)?.displayName.toLowerCase() ?? ''
    const found = ownContacts(context, ({ acceptedAt }) => acceptedAt !== null)
    const sorted = found.sort((a, b) => nameOf(a).localeCompare(nameOf(b)))
    return pageOf(sorted, (shown) => sorted.indexOf(shown), args)
  },
  contactRequests: (
    _root: unknown,
    { direction, ...args }: PageArguments & { direction: 'INCOMING' | 'OUTGOING' },
    context: TestContext,
  ) =>
    pageOf(
      requests(context, direction).sort((a, b) => byTime(a) - byTime(b)),
      byTime,
      args,
    ),
  contactRequestCount: (_root: unknown, args: { direction: 'INCOMING' | 'OUTGOING' }, context: TestContext) =>
    requests(context, args.direction).length,
  blockedUsers: (_root: unknown, args: PageArguments, context: TestContext) => {
    const { id } = requireViewer(context)
    const own = context.world.blocks.filter(({ by }) => by === id).reverse()
    return pageOf(own, ({ number }) => -number, args)
  },
}

const otherUser = ({ userId }: ShownContact, _args: object, { world }: TestContext) => world.users.get(userId)

export const peopleFields: { readonly [type: string]: TestFields } = {
  Contact: {
    id: ({ userId }: ShownContact) => `Contact:${userId}`,
    user: otherUser,
    requestedAt: ({ contact }: ShownContact) => contact.requestedAt,
    acceptedAt: ({ contact }: ShownContact) => contact.acceptedAt,
    state: ({ contact, userId }: ShownContact) =>
      contact.acceptedAt ? 'ACCEPTED' : contact.from === userId ? 'INCOMING' : 'OUTGOING',
  },
  Block: {
    id: ({ of }: TestBlock) => `Block:${of}`,
    blockedAt: ({ blockedAt }: TestBlock) => blockedAt,
    user: ({ of }: TestBlock, _args: object, { world }: TestContext) => world.users.get(of),
  },
}
