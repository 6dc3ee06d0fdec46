// A person with new names, in the messages that show them. Pure.

import type { PersonPartsFragment } from '../generated/operations.ts'
import type { Message } from './message-window.ts'

/** A message with the current names of a person, wherever it shows them; the same object if it does not. */
export function withPerson(message: Message, person: PersonPartsFragment): Message {
  const shown = person.isDeleted ? null : person
  const isIt = ({ id }: { readonly id: string }) => id === person.id
  /** The same selection of fields, with the new names. */
  const named = <Each extends { readonly displayName: string }>(each: Each): Each => ({
    ...each,
    displayName: person.displayName,
    ...('username' in each ? { username: person.username } : {}),
  })
  const sender = message.sender && isIt(message.sender) ? shown : message.sender
  const mentions = message.mentions.some(isIt)
    ? message.mentions.map((each) => (isIt(each) ? named(each) : each))
    : message.mentions
  const reactions = message.reactions.some(({ users }) => users.some(isIt))
    ? message.reactions.map((group) => ({ ...group, users: group.users.map((each) => (isIt(each) ? named(each) : each)) }))
    : message.reactions
  const { replyTo } = message
  const quoted = replyTo?.sender && isIt(replyTo.sender) ? { ...replyTo, sender: shown && named(replyTo.sender) } : replyTo
  const isSame = sender === message.sender && mentions === message.mentions && reactions === message.reactions
  return isSame && quoted === replyTo ? message : { ...message, sender, mentions, reactions, replyTo: quoted }
}
