// What a test server begins with.

import { makeUser } from './accounts.ts'
import { addMessage, makeConversation } from './actions.ts'
import { type TestConversation, type TestUser, type TestWorld, testId } from './world.ts'

/** A user of the seed: a username, or more. */
export type SeedUser =
  | string
  | { readonly username: string; readonly displayName?: string; readonly password?: string; readonly bio?: string }

/** A message of the seed. */
export type SeedMessage = { readonly from: string; readonly text: string }

/** A conversation of the seed. */
export type SeedConversation = {
  /** The title of a group; without one, it is the direct conversation of two members. */
  readonly title?: string
  /** Usernames. The first is the owner of a group. */
  readonly members: readonly string[]
  readonly messages?: readonly SeedMessage[]
}

/** What a test server begins with. */
export type Seed = {
  readonly users?: readonly SeedUser[]
  readonly conversations?: readonly SeedConversation[]
  /** Pairs of usernames that are contacts. */
  readonly contacts?: readonly (readonly [string, string])[]
}

/** The password of users who are given none. */
export const seedPassword = 'password'

/** Fills a world. @throws Error if the seed names a user that it does not have */
export function plant(world: TestWorld, { users = [], conversations = [], contacts = [] }: Seed): void {
  for (const given of users) {
    const {
      username,
      displayName = username,
      password = seedPassword,
      bio = '',
    } = typeof given === 'string' ? { username: given } : given
    makeUser(world, { username, displayName, password }).bio = bio
  }
  for (const { title, members, messages = [] } of conversations) {
    const people = members.map((name) => userNamed(world, name))
    const { conversation } = makeConversation(world, title === undefined ? 'DIRECT' : 'GROUP', people, { title: title ?? null })
    for (const { from, text } of messages) sayIn(world, conversation, userNamed(world, from), text)
  }
  for (const [one, other] of contacts) {
    const [from, to] = [userNamed(world, one).id, userNamed(world, other).id]
    world.contacts.push({ from, to, requestedAt: world.journal.now(), acceptedAt: world.journal.now() })
  }
}

/** @throws Error if there is no such user */
export function userNamed({ users }: TestWorld, username: string): TestUser {
  const found = [...users.values()].find((user) => user.username === username.toLowerCase())
  if (!found) throw new Error(`The test server has no user "${username}".`)
  return found
}

/** Finds a conversation of a user by its ID, its title, or the username of the other person. @throws Error */
export function conversationNamed(world: TestWorld, user: TestUser, name: string): TestConversation {
  const own = [...world.conversations.values()].filter(({ members }) => members.has(user.id))
  const isOther = ({ kind, members }: TestConversation) =>
    kind === 'DIRECT' && [...members.keys()].some((id) => id !== user.id && world.users.get(id)?.username === name.toLowerCase())
  const found = own.find(({ id, title }) => id === name || title === name) ?? own.find(isOther)
  if (!found) throw new Error(`${user.username} has no conversation "${name}".`)
  return found
}

function sayIn(world: TestWorld, conversation: TestConversation, sender: TestUser, text: string): void {
  if (!conversation.members.has(sender.id)) throw new Error(`${sender.username} is not in the conversation.`)
  const clientMessageId = seedKey(world.number('seed'))
  const about = { senderId: sender.id, clientMessageId, text, data: null, mentions: [], replyToId: null }
  addMessage(world, conversation, { ...about, content: testId('seed', world.journal.head) })
}

const seedKey = (number: number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`
