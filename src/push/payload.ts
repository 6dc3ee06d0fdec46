// The payload of a notification, as docs/push.md describes it. JSON that fits into one record of Web Push.

import { createHash } from 'node:crypto'
import type { FileKind } from '../attachment/row.ts'
import { type ConversationId, encodeId, type MessageId, type UserId } from '../id.ts'

/** The most that Web Push carries, before encryption. */
export const payloadBytesMax = 3_993
/** The longest title and text, in characters; longer ones end with an ellipsis. */
const lengths = { title: 100, text: 200 } as const

/** A notification as devices get it: docs/push.md, "What comes". */
export type Payload = {
  readonly id: string
  readonly kind: 'message' | 'clear' | 'test'
  readonly title?: string
  readonly body?: string
  readonly badge: number
  readonly conversationId?: string
  readonly messageId?: string
}

/** The parts of a message that a notification shows. */
export type Shown = {
  readonly conversationId: ConversationId
  readonly messageId: MessageId
  readonly isDirect: boolean
  readonly conversationTitle: string | null
  /** Null for a system message. */
  readonly senderName: string | null
} & ShownContent

/** What a message says: its text, and the kinds of its attachments. */
export type ShownContent = { readonly text: string; readonly attached: readonly FileKind[] }

/** Announces a message: its sender or group and, if the user wants it, the beginning of its text. */
export function messagePayload(id: string, shown: Shown, showsText: boolean, badge: number): string {
  const { isDirect, conversationTitle, senderName, text, attached } = shown
  const title = shorten((isDirect ? senderName : (conversationTitle ?? senderName)) ?? 'New message', lengths.title)
  const line = shorten(text, lengths.text)
  const sender = isDirect || senderName === null ? '' : shorten(senderName, lengths.title)
  const spoken = line === '' ? sentence(sender, attached) : sender === '' ? line : `${sender}: ${line}`
  const body = spoken === '' || !showsText ? {} : { body: spoken }
  const conversationId = encodeId('Conversation', shown.conversationId)
  return pack({ kind: 'message', id, title, ...body, conversationId, messageId: encodeId('Message', shown.messageId), badge })
}

const nouns = {
  IMAGE: ['a photo', 'photos'],
  VIDEO: ['a video', 'videos'],
  AUDIO: ['an audio file', 'audio files'],
  FILE: ['a file', 'files'],
} as const

/** Says what a message without a text has attached: `Alice sent a photo`; empty if it has nothing. */
function sentence(sender: string, attached: readonly FileKind[]): string {
  const [first] = attached
  if (first === undefined) return ''
  const [one, several] = nouns[attached.every((kind) => kind === first) ? first : 'FILE']
  return `${sender} sent ${attached.length === 1 ? one : `${attached.length} ${several}`}`.trim()
}

/** Clears the notifications of a conversation. */
export function clearPayload(id: string, conversationId: ConversationId, badge: number): string {
  return pack({ kind: 'clear', id, conversationId: encodeId('Conversation', conversationId), badge })
}

/** A test that a user sends to their own device. */
export function testPayload(id: string, badge: number): string {
  return pack({ kind: 'test', id, title: 'Notifications work', body: 'This is how they come to this device.', badge })
}

/**
 * The topic of a conversation for one of its members (RFC 8030, 5.4): for a device that is away, a push service keeps only the
 * newest notification of each topic. It reveals nothing to the service, not even which users share a conversation.
 */
export function topicOf(conversationId: ConversationId, userId: UserId): string {
  return createHash('sha256').update(`${conversationId}:${userId}`).digest('base64url').slice(0, 32)
}

function pack(payload: Payload): string {
  const json = JSON.stringify(payload)
  if (Buffer.byteLength(json) > payloadBytesMax) throw new Error('a notification does not fit')
  return json
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
/** White space and control characters, which would cost six bytes each. */
const blanks = /[\p{Cc}\s]+/gu
/** Characters that change the direction of all the text after them. */
const turns = /[\u202a-\u202e\u2066-\u2069]/g
const visible = /[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]/u

/**
 * Shortens a text to one line of at most `max` code points, cut between graphemes. A cut line ends with an ellipsis. Empty if
 * nothing is visible.
 */
function shorten(text: string, max: number): string {
  const line = text.replaceAll(blanks, ' ').replaceAll(turns, '').trim()
  if (!visible.test(line)) return ''
  let [kept, count] = ['', 0]
  for (const { segment } of graphemes.segment(line)) {
    const length = [...segment].length
    // Cuts a grapheme that is too long by itself, such as a letter with hundreds of marks.
    if (count + length > max) return `${endOf(kept, count, max) || [...line].slice(0, max - 1).join('')}…`
    kept += segment
    count += length
  }
  return kept
}

/** Trims the kept part of a cut line to leave room for the ellipsis. */
function endOf(kept: string, count: number, max: number): string {
  if (count < max) return kept.trimEnd()
  const segments = [...graphemes.segment(kept)].map(({ segment }) => segment)
  return segments.slice(0, -1).join('').trimEnd()
}
