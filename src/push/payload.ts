// What a notification holds, as docs/push.md tells app developers. JSON that fits into one record of Web Push.

import { createHash } from 'node:crypto'
import { encodeId } from '../id.ts'

/** The most that Web Push carries, before it is encrypted. */
export const payloadBytesMax = 3_993
/** The longest title and text, in characters; beyond it they end with an ellipsis. */
const lengths = { title: 100, text: 200 } as const

/** What a message is shown by. */
export type Shown = {
  readonly conversationId: number
  readonly messageId: number
  readonly isDirect: boolean
  readonly conversationTitle: string | null
  readonly senderName: string
  readonly text: string
}

/** A new message: who or where from, and unless they want none, the beginning of its text. */
export function messagePayload(id: string, shown: Shown, showsText: boolean, badge: number): string {
  const { isDirect, conversationTitle, senderName, text } = shown
  const title = shorten(isDirect ? senderName : (conversationTitle ?? senderName), lengths.title)
  const line = shorten(text, lengths.text)
  const body = line === '' || !showsText ? {} : { body: isDirect ? line : `${shorten(senderName, lengths.title)}: ${line}` }
  const conversationId = encodeId('Conversation', shown.conversationId)
  return pack({ kind: 'message', id, title, ...body, conversationId, messageId: encodeId('Message', shown.messageId), badge })
}

/** What was shown of a conversation was read elsewhere. */
export function clearPayload(id: string, conversationId: number, badge: number): string {
  return pack({ kind: 'clear', id, conversationId: encodeId('Conversation', conversationId), badge })
}

/** What somebody sends to themselves, to see that it works. */
export function testPayload(id: string, badge: number): string {
  return pack({ kind: 'test', id, title: 'Notifications work', body: 'This is how they come to this device.', badge })
}

/**
 * The topic of a conversation for one of its members (RFC 8030, 5.4): a push service that keeps a notification for a device
 * which is away keeps only the newest. It tells the service nothing, not even who is in one conversation.
 */
export function topicOf(conversationId: number, userId: number): string {
  return createHash('sha256').update(`${conversationId}:${userId}`).digest('base64url').slice(0, 32)
}

function pack(payload: object): string {
  const json = JSON.stringify(payload)
  if (Buffer.byteLength(json) > payloadBytesMax) throw new Error('a notification does not fit')
  return json
}

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
/** White space, control characters (which would cost six bytes each), and what turns the direction of all that follows. */
const blanks = /[\p{Cc}\s]+/gu
const turns = /[\u202a-\u202e\u2066-\u2069]/g
const visible = /[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]/u

/**
 * A text on one line, of at most `max` characters (code points), cut between characters as people see them. It ends with an
 * ellipsis where something was cut off. Empty where there is nothing to see.
 */
function shorten(text: string, max: number): string {
  const line = text.replaceAll(blanks, ' ').replaceAll(turns, '').trim()
  if (!visible.test(line)) return ''
  let [kept, count] = ['', 0]
  for (const { segment } of graphemes.segment(line)) {
    const length = [...segment].length
    // A character that alone is too long, a letter with hundreds of marks, is cut itself.
    if (count + length > max) return `${endOf(kept, count, max) || [...line].slice(0, max - 1).join('')}…`
    kept += segment
    count += length
  }
  return kept
}

/** What was kept of a line that goes on, with room for the ellipsis. */
function endOf(kept: string, count: number, max: number): string {
  if (count < max) return kept.trimEnd()
  const segments = [...graphemes.segment(kept)].map(({ segment }) => segment)
  return segments.slice(0, -1).join('').trimEnd()
}
