// The messages of a conversation that an app has loaded: one stretch of its history without gaps. It grows at both ends, and new messages
// join it while it reaches to the newest. Pure.

import type { MessagePartsFragment } from '../generated/operations.ts'
import type { SealedState } from './sealed-state.ts'

/** A message. */
export type Message = MessagePartsFragment & {
  /** What is known of an encrypted message. */
  readonly sealed?: SealedState
}

/** The loaded messages, by `seq`, and whether there are more on either side. */
export type MessageWindow = {
  readonly messages: readonly Message[]
  readonly hasOlder: boolean
  readonly hasNewer: boolean
}

/** The most messages that a window holds. What goes beyond is dropped at the other end. */
export const windowMax = 1_000

/** A page of messages as the server returns it. */
export type MessagePage = {
  readonly nodes: readonly Message[]
  readonly pageInfo: { readonly hasNextPage: boolean; readonly hasPreviousPage: boolean }
}

/** The window of a page that stands alone. */
export function windowOf({ nodes, pageInfo }: MessagePage): MessageWindow {
  return { messages: nodes, hasOlder: pageInfo.hasPreviousPage, hasNewer: pageInfo.hasNextPage }
}

/** The window with an older page before it. `known` are newer states of messages, which win. */
export function withOlder(window: MessageWindow, { nodes, pageInfo }: MessagePage): MessageWindow {
  const first = window.messages[0]?.seq ?? Number.POSITIVE_INFINITY
  const messages = [...nodes.filter(({ seq }) => seq < first), ...window.messages]
  const cut = messages.slice(0, windowMax)
  return { messages: cut, hasOlder: pageInfo.hasPreviousPage, hasNewer: window.hasNewer || cut.length < messages.length }
}

/** The window with a newer page after it. */
export function withNewer(window: MessageWindow, { nodes, pageInfo }: MessagePage): MessageWindow {
  const last = window.messages.at(-1)?.seq ?? 0
  const messages = [...window.messages, ...nodes.filter(({ seq }) => seq > last)]
  const cut = messages.slice(-windowMax)
  return { messages: cut, hasOlder: window.hasOlder || cut.length < messages.length, hasNewer: pageInfo.hasNextPage }
}

/** The window without a message. */
export function withoutMessage(window: MessageWindow, id: string): MessageWindow {
  const messages = window.messages.filter((message) => message.id !== id)
  return messages.length === window.messages.length ? window : { ...window, messages }
}

/** The window with a message that has changed: replaced where it is, and where it is quoted. One that is not there stays away. */
export function withChanged(window: MessageWindow, message: Message): MessageWindow {
  const at = window.messages.findIndex(({ id }) => id === message.id)
  const changed = at >= 0 ? window.messages.with(at, message) : window.messages
  const messages = withReplies(changed, message)
  return messages === window.messages ? window : { ...window, messages }
}

/**
 * The window with a message that was sent: replaced where it is, appended if the window reaches to the newest. There may be a gap between the
 * two, where the viewer has hidden messages. A message outside of the window changes nothing, but for replies to it.
 */
export function withMessage(window: MessageWindow, message: Message): MessageWindow {
  const { messages, hasNewer } = window
  const at = messages.findIndex(({ id }) => id === message.id)
  const last = messages.at(-1)?.seq ?? null
  const isNext = !hasNewer && (last === null ? !window.hasOlder || message.seq === 1 : message.seq > last)
  let changed = messages
  if (at >= 0) changed = messages.with(at, message)
  else if (isNext) changed = [...messages, message].slice(-windowMax)
  const replied = withReplies(changed, message)
  return replied === messages
    ? window
    : { ...window, messages: replied, hasOlder: window.hasOlder || replied[0]?.id !== changed[0]?.id }
}

/** Messages that quote another one, with its current text. */
function withReplies(messages: readonly Message[], quoted: Message): readonly Message[] {
  const changed = messages.map((message) => withQuote(message, quoted))
  return changed.some((message, i) => message !== messages[i]) ? changed : messages
}

/** A message with the current text of the one that it quotes; the same object if it quotes another one, or has that text. */
export function withQuote(message: Message, { id, text, deletedAt }: Message): Message {
  const { replyTo } = message
  if (replyTo?.id !== id || (replyTo.text === text && replyTo.deletedAt === deletedAt)) return message
  return { ...message, replyTo: { ...replyTo, text, deletedAt } }
}
