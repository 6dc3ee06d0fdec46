// Ids. Each is a number of its own type, so that the compiler refuses a user where a conversation belongs. Clients see global
// ids: `<prefix>_<13 digits in base 36>`. The width is fixed, so ids of one type sort like their numbers, and the id of a newer
// message is always the greater string. Clients treat them as opaque.

import { badInput } from './errors.ts'

// The brands exist only for the compiler: at run time, an id is just its number.
declare const brand: unique symbol
declare const messageBrand: unique symbol

type Branded<Name extends string> = number & { readonly [brand]: Name }

/** The id of a user. */
export type UserId = Branded<'User'>

/** The id of a conversation. */
export type ConversationId = Branded<'Conversation'>

/** The id of a session, which is also that of its device. */
export type SessionId = Branded<'Session'>

/** A position in the journal. */
export type Position = Branded<'Position'>

/** The id of a message: the position of the fact that created it. Other positions are not ids of messages. */
export type MessageId = Position & { readonly [messageBrand]: true }

/** The id of an attachment. */
export type AttachmentId = Branded<'Attachment'>

/** The id of a server key. */
export type ServerKeyId = Branded<'ServerKey'>

/** The id of a device with a signature key. */
export type DeviceId = Branded<'Device'>

/** The id of a webhook. */
export type WebhookId = Branded<'Webhook'>

/** The id of a report to the moderators. */
export type ReportId = Branded<'Report'>

/** Brands the id of a user where it enters from outside: from Prisma, a token, a bus message or a global id. */
export const userIdOf = (value: bigint | number | string) => Number(value) as UserId

/** Brands the id of a conversation where it enters from outside. */
export const conversationIdOf = (value: bigint | number | string) => Number(value) as ConversationId

/** Brands the id of a session where it enters from outside. */
export const sessionIdOf = (value: bigint | number | string) => Number(value) as SessionId

/** Brands a position where it enters from outside. */
export const positionOf = (value: bigint | number | string) => Number(value) as Position

/** Brands the id of a message where it enters from outside. */
export const messageIdOf = (value: bigint | number | string) => Number(value) as MessageId

/** Brands the id of an attachment where it enters from outside. */
export const attachmentIdOf = (value: bigint | number | string) => Number(value) as AttachmentId

/** Brands the id of a server key where it enters from outside. */
export const serverKeyIdOf = (value: bigint | number | string) => Number(value) as ServerKeyId

/** Brands the id of a device where it enters from outside. */
export const deviceIdOf = (value: bigint | number | string) => Number(value) as DeviceId

/** Brands the id of a webhook where it enters from outside. */
export const webhookIdOf = (value: bigint | number | string) => Number(value) as WebhookId

/** Brands the id of a report where it enters from outside. */
export const reportIdOf = (value: bigint | number | string) => Number(value) as ReportId

/** The sender of system messages, in place of a user: no user has this id. */
export const systemId = userIdOf(0)

const prefixes = {
  User: 'usr',
  Session: 'ses',
  Conversation: 'cnv',
  Message: 'msg',
  Member: 'mbr',
  Invite: 'inv',
  Attachment: 'att',
  ServerKey: 'key',
  Webhook: 'whk',
  Device: 'dev',
  Report: 'rpt',
} as const

/** The types that have a global id. */
export type IdType = keyof typeof prefixes

/** The numbers in a global id, by its type: a member is a conversation and a user. */
type IdNumbers = {
  User: [UserId]
  Session: [SessionId]
  Conversation: [ConversationId]
  Message: [MessageId]
  Member: [ConversationId, UserId]
  Invite: [number]
  Attachment: [AttachmentId]
  ServerKey: [ServerKeyId]
  Webhook: [WebhookId]
  Device: [DeviceId]
  Report: [ReportId]
}

const width = 13
const form = /^([a-z]{3})_([0-9a-z]{13})(?:_([0-9a-z]{13}))?$/
const typeOfPrefix = new Map<string, IdType>(Object.entries(prefixes).map(([type, prefix]) => [prefix, type as IdType]))

/** The global id of an object with this number, or pair of numbers. */
export function encodeId<Type extends IdType>(type: Type, ...numbers: IdNumbers[Type]): string {
  return [prefixes[type], ...numbers.map((n) => n.toString(36).padStart(width, '0'))].join('_')
}

/** The type and numbers of a global id; null for any other text. */
export function findId(id: string): { type: IdType; numbers: number[] } | null {
  const [, prefix = '', ...digits] = form.exec(id) ?? []
  const type = typeOfPrefix.get(prefix)
  const numbers = digits.filter((d) => d !== undefined).map((d) => Number.parseInt(d, 36))
  if (!type || !numbers.every(Number.isSafeInteger) || numbers.length !== (type === 'Member' ? 2 : 1)) return null
  return { type, numbers }
}

/**
 * The number in a global id of this type.
 * @throws ParleyError BAD_INPUT for `argument` if the text is not an id of this type
 */
export function parseId<Type extends Exclude<IdType, 'Member'>>(type: Type, id: string, argument: string): IdNumbers[Type][0] {
  const found = findId(id)
  if (found?.type !== type || found.numbers[0] === undefined) throw badInput(argument, `is not an ID of type ${type}`)
  return found.numbers[0] as IdNumbers[Type][0]
}
