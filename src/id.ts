// Global ids: `<prefix>_<13 digits in base 36>`. The width is fixed, so ids of one type sort like their numbers, and the id of a
// newer message is always the greater string. Clients treat them as opaque.

import { badInput } from './errors.ts'

const prefixes = { User: 'usr', Session: 'ses', Conversation: 'cnv', Message: 'msg', Member: 'mbr', Invite: 'inv' } as const

/** The types that have a global id. */
export type IdType = keyof typeof prefixes

const width = 13
const form = /^([a-z]{3})_([0-9a-z]{13})(?:_([0-9a-z]{13}))?$/
const typeOfPrefix = new Map<string, IdType>(Object.entries(prefixes).map(([type, prefix]) => [prefix, type as IdType]))

/** The global id of an object with this number, or pair of numbers: a member is a conversation and a user. */
export function encodeId(type: IdType, ...numbers: [number] | [number, number]): string {
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
export function parseId(type: Exclude<IdType, 'Member'>, id: string, argument: string): number {
  const found = findId(id)
  if (found?.type !== type || found.numbers[0] === undefined) throw badInput(argument, `is not an ID of type ${type}`)
  return found.numbers[0]
}
